use std::sync::Arc;

use arrow::array::*;

use super::*;

#[test]
fn numbers_of_every_type_become_the_same() {
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(Int16Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(Int32Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(Int64Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(UInt8Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(UInt16Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(UInt32Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(UInt64Array::from(vec![Some(1), None, Some(0)])),
        Arc::new(Float32Array::from(vec![Some(1.0), None, Some(0.0)])),
        Arc::new(Float64Array::from(vec![Some(1.0), None, Some(0.0)])),
        Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(0.0)])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
    ];
    for array in arrays {
        assert!(is_number(array.data_type()));
        let values = numbers(&array).unwrap();
        assert_eq!((values[0], values[2]), (1.0, 0.0), "{}", array.data_type());
        assert!(values[1].is_nan(), "{}", array.data_type());
    }
}

#[test]
fn nulls_are_missing_and_texts_are_refused() {
    assert!(numbers(&NullArray::new(2)).unwrap().iter().all(|value| value.is_nan()));
    let text = StringArray::from(vec!["1"]);
    assert_eq!(numbers(&text), None);
    assert!(!is_number(text.data_type()));
}

#[test]
fn slices_are_read_from_their_start() {
    let array = Int64Array::from(vec![Some(5), None, Some(7)]).slice(1, 2);
    let values = numbers(&array).unwrap();
    assert!(values[0].is_nan());
    assert_eq!(values[1], 7.0);
}
