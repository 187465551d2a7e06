use super::*;

fn steps(rows: u32, shift: f32) -> Vec<f32> {
    (0..rows).map(|row| row as f32 + shift).collect()
}

fn index(reference: &[f32], observed: &[f32]) -> Option<f64> {
    let reference = Reference::of(reference);
    assert!(reference.is_valid());
    let counts = reference.count(observed);
    psi(&reference, &counts)
}

#[test]
fn equal_rows_do_not_drift_and_moved_rows_do() {
    assert_eq!(index(&steps(1_000, 0.0), &steps(1_000, 0.0)), Some(0.0));
    // Half a bin's width moves a twentieth of the rows.
    assert!(index(&steps(1_000, 0.0), &steps(1_000, 50.0)).unwrap() < 0.1);
    assert!(index(&steps(1_000, 0.0), &steps(1_000, 500.0)).unwrap() > 0.25);
}

#[test]
fn few_rows_have_no_index() {
    assert_eq!(index(&steps(1_000, 0.0), &steps(199, 0.0)), None);
}

#[test]
fn a_flag_that_is_set_more_often_drifts() {
    let flags = |set: usize| (0..1_000).map(|row| if row < set { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    assert!(index(&flags(10), &flags(10)).unwrap() < 1e-12);
    assert!(index(&flags(10), &flags(300)).unwrap() > 0.25);
    // Rarely unset: the bin below the greatest value must not be lost.
    assert!(index(&flags(990), &flags(700)).unwrap() > 0.25);
}

#[test]
fn a_constant_drifts_both_ways() {
    for moved in [2.0, 4.0] {
        assert!(index(&[3.0; 500], &[moved; 500]).unwrap() > 0.25);
    }
    assert!(index(&[3.0; 500], &[3.0; 500]).unwrap() < 1e-12);
}

#[test]
fn a_source_that_falls_silent_drifts() {
    assert!(index(&steps(500, 0.0), &[f32::NAN; 500]).unwrap() > 0.25);
    assert!(index(&[f32::NAN; 500], &steps(500, 0.0)).unwrap() > 0.25);
    assert!(index(&[f32::NAN; 500], &[f32::NAN; 500]).unwrap() < 1e-12);
}

#[test]
fn counts_of_parts_add_up() {
    let reference = Reference::of(&steps(1_000, 0.0));
    let (all, mut part) = (reference.count(&steps(600, 0.5)), reference.count(&steps(600, 0.5)[..250]));
    part.merge(&reference.count(&steps(600, 0.5)[250..]));
    assert_eq!(part, all);
    assert_eq!(all.rows(), 600);
}
