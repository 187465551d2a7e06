use proptest::prelude::*;

use super::*;

fn tile(level: u8, index: u64, width: u16) -> Resource {
    Resource::Tile { level, index, width }
}

#[test]
fn names_are_the_specifications() {
    for (resource, name) in [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(3, 1_234_067, 256), "tile/3/x001/x234/067"),
        (tile(3, 1_234_067, 8), "tile/3/x001/x234/067.p/8"),
        (tile(63, 1_000, 255), "tile/63/x001/000.p/255"),
        (tile(0, u64::MAX, 1), "tile/0/x018/x446/x744/x073/x709/x551/615.p/1"),
        (Resource::Entries { index: 273, width: 112 }, "tile/entries/273.p/112"),
        (Resource::Entries { index: 999_999, width: 256 }, "tile/entries/x999/999"),
    ] {
        assert_eq!(resource.to_string(), name);
        assert_eq!(name.parse(), Ok(resource));
    }
}

#[test]
fn there_is_one_name_for_each_and_no_other_text_is_one() {
    for name in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/+1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/000/000",
        "tile/0/001/x002",
        "tile/0/xx01/002",
        "tile/0/x001/x002",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/1/2",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        "tile/entries/00é",
    ] {
        assert_eq!(name.parse::<Resource>(), Err(BadPath(name.to_owned())), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in ".*") {
        let _ = text.parse::<Resource>();
    }

    #[test]
    fn text_that_is_nearly_a_name_is_it_or_is_refused(
        text in "tile/(entries|[0-9]{1,3})(/x?[0-9]{1,4}){1,8}(\\.p)?(/[0-9]{1,4})?",
    ) {
        if let Ok(resource) = text.parse::<Resource>() {
            prop_assert_eq!(resource.to_string(), text);
        }
    }

    #[test]
    fn every_resource_has_a_name(level in 0u8..64, index: u64, width in 1u16..=256) {
        for resource in [tile(level, index, width), Resource::Entries { index, width }] {
            prop_assert_eq!(resource.to_string().parse(), Ok(resource));
        }
    }
}
