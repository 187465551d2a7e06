//! The one cast from Arrow to the numbers trees compare. Training and scoring both come through here, so a value
//! meets the same threshold in both. Read next: `scorer.rs`.

use arrow::array::{Array, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

/// The values of a numeric or boolean column as `f32`, rounded to nearest; nulls become NaN and booleans 0 or 1.
/// Absent for other types.
pub fn numbers(column: &dyn Array) -> Option<Vec<f32>> {
    Some(match column.data_type() {
        DataType::Null => vec![f32::NAN; column.len()],
        DataType::Boolean => {
            let value = |value: Option<bool>| value.map_or(f32::NAN, |set| if set { 1.0 } else { 0.0 });
            column.as_boolean().iter().map(value).collect()
        }
        DataType::Int8 => cast::<Int8Type>(column, f32::from),
        DataType::Int16 => cast::<Int16Type>(column, f32::from),
        DataType::Int32 => cast::<Int32Type>(column, |value| value as f32),
        DataType::Int64 => cast::<Int64Type>(column, |value| value as f32),
        DataType::UInt8 => cast::<UInt8Type>(column, f32::from),
        DataType::UInt16 => cast::<UInt16Type>(column, f32::from),
        DataType::UInt32 => cast::<UInt32Type>(column, |value| value as f32),
        DataType::UInt64 => cast::<UInt64Type>(column, |value| value as f32),
        DataType::Float32 => cast::<Float32Type>(column, |value| value),
        DataType::Float64 => cast::<Float64Type>(column, |value| value as f32),
        _ => return None,
    })
}

/// Whether [`numbers`] takes columns of this type.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    let float = matches!(data_type, DataType::Float32 | DataType::Float64);
    data_type.is_integer() || float || matches!(data_type, DataType::Boolean | DataType::Null)
}

fn cast<T: ArrowPrimitiveType>(column: &dyn Array, to_number: impl Fn(T::Native) -> f32) -> Vec<f32> {
    let column = column.as_primitive::<T>();
    if column.null_count() == 0 {
        return column.values().iter().map(|value| to_number(*value)).collect();
    }
    column.iter().map(|value| value.map_or(f32::NAN, &to_number)).collect()
}

#[cfg(test)]
mod tests;
