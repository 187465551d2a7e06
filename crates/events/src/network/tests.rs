use super::*;

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let table = "10.0.0.0/8 internal\n10.9.0.0/16 vpn # remote staff\n10.9.8.7 kiosk\n2001:db8::/32 internal\n\n";
    let networks: Networks = table.parse().unwrap();
    for (address, name) in [
        ("10.1.2.3", "internal"),
        ("10.9.1.1", "vpn"),
        ("10.9.8.7", "kiosk"),
        ("11.0.0.1", "external"),
        ("::ffff:10.9.1.1", "vpn"),
        ("2001:db8::5", "internal"),
        ("2001:db9::5", "external"),
        ("::", "external"),
    ] {
        assert_eq!(networks.name_of(address.parse().unwrap()), name, "{address}");
    }
}

#[test]
fn a_prefix_of_zero_covers_its_own_family_only() {
    let networks = Networks::new([("0.0.0.0/0", "legacy")], "new").unwrap();
    assert_eq!(networks.name_of("200.1.1.1".parse().unwrap()), "legacy");
    assert_eq!(networks.name_of("2001:db8::1".parse().unwrap()), "new");
    assert_eq!(Networks::default().name_of("10.0.0.1".parse().unwrap()), EXTERNAL);
}

#[test]
fn a_bad_entry_is_named() {
    for (table, expected) in [
        ("10.0.0.0/8", "network `10.0.0.0/8`: has no name"),
        ("10.0.0/8 x", "network `10.0.0/8`: expected a range like `10.0.0.0/8` or `2001:db8::/32`"),
        ("10.0.0.0/33 x", "network `10.0.0.0/33`: the prefix length must be a number from 0 to 32"),
        ("10.0.0.1/8 x", "network `10.0.0.1/8`: has bits set beyond its prefix length 8"),
        ("10.0.0.0/8 a\n10.0.0.0/8 b", "network `10.0.0.0/8`: stands twice, as `a` and as `b`"),
        (
            "10.0.0.0/8 The House",
            "network `10.0.0.0/8`: the name `The House` is not 1 to 32 lower-case letters, digits, `-` or `_`",
        ),
    ] {
        assert_eq!(table.parse::<Networks>().unwrap_err().to_string(), expected);
    }
}
