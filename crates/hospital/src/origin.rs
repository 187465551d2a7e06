//! Where a sign-in comes from: a workstation of the house, the VPN from home, or anywhere else.

use crate::draw::Draw;
use crate::site::Site;
use crate::staff::World;
use crate::town::KM_PER_DEGREE;

/// Address, place and device of a sitting.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) address: [u8; 4],
    pub(crate) network: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) device: String,
    pub(crate) workstation: Option<String>,
    pub(crate) proxy: bool,
    pub(crate) remote: bool,
}

/// Cities abroad: country, degrees north, degrees east.
const CITIES: [(&str, f64, f64); 12] = [
    ("ES", 41.39, 2.17),
    ("RO", 44.43, 26.10),
    ("US", 40.71, -74.01),
    ("BR", -23.55, -46.63),
    ("SG", 1.35, 103.82),
    ("TR", 41.01, 28.98),
    ("NG", 6.52, 3.38),
    ("IN", 19.08, 72.88),
    ("PL", 52.23, 21.01),
    ("CA", 45.50, -73.57),
    ("IT", 41.90, 12.50),
    ("ZA", -33.92, 18.42),
];

impl Origin {
    /// A workstation of a unit. Each unit is a subnet of 10.0.0.0/8.
    pub(crate) fn house(world: &World, site: &Site, unit: u16, workstation: u32) -> Self {
        let code = &world.unit(unit).code;
        let name = format!("WS-{code}-{:02}", workstation + 1);
        let third = u32::from(unit / 250) * 8 + workstation / 200;
        Self {
            address: [10, (unit % 250 + 1) as u8, third as u8, (workstation % 200 + 10) as u8],
            network: "internal",
            country: site.country,
            latitude: site.latitude,
            longitude: site.longitude,
            device: name.clone(),
            workstation: Some(name),
            proxy: false,
            remote: false,
        }
    }

    /// A member of staff's own laptop, through the VPN or from the address of the home line.
    pub(crate) fn home(world: &World, site: &Site, worker: u32, day: i32, draw: &mut Draw) -> Self {
        let person = world.worker(worker).person;
        let (latitude, longitude) = world.town.position(world.town.persons[person as usize].household);
        let vpn = draw.chance(0.8);
        let address = if vpn {
            [172, 20, draw.below(16) as u8, draw.span(2, 254) as u8]
        } else {
            // The home line keeps its address.
            line(worker.wrapping_mul(2_654_435_761))
        };
        Self {
            address,
            network: if vpn { "vpn" } else { "external" },
            country: site.country,
            latitude,
            longitude,
            device: laptop(world, worker, day),
            workstation: None,
            proxy: false,
            remote: true,
        }
    }

    /// The VPN's exit in another city: the sign-in seems to come from there.
    pub(crate) fn exit(world: &World, site: &Site, worker: u32, day: i32, draw: &mut Draw) -> Self {
        let (country, latitude, longitude) = abroad(site, draw);
        let device = laptop(world, worker, day);
        let address = [172, 20, 16 + draw.below(4) as u8, draw.span(2, 254) as u8];
        let proxy = draw.chance(0.3);
        Self { address, network: "vpn", country, latitude, longitude, device, workstation: None, proxy, remote: true }
    }

    /// A traveller's hotel, with the own laptop.
    pub(crate) fn hotel(world: &World, site: &Site, worker: u32, day: i32, draw: &mut Draw) -> Self {
        let device = laptop(world, worker, day);
        Self { device, proxy: false, ..Self::stranger(site, true, draw) }
    }

    /// Somebody else's device, abroad or somewhere in the country.
    pub(crate) fn stranger(site: &Site, far: bool, draw: &mut Draw) -> Self {
        let (country, latitude, longitude) = if far {
            abroad(site, draw)
        } else {
            let north = draw.between(-160.0, 160.0) / KM_PER_DEGREE;
            (site.country, site.latitude + north, site.longitude + draw.between(-1.5, 1.5))
        };
        Self {
            address: line(draw.bits() as u32),
            network: "external",
            country,
            latitude: latitude + draw.between(-0.1, 0.1),
            longitude: longitude + draw.between(-0.1, 0.1),
            device: format!("LT-{:05}", draw.below(100_000)),
            workstation: None,
            proxy: draw.chance(if far { 0.4 } else { 0.15 }),
            remote: true,
        }
    }
}

fn abroad(site: &Site, draw: &mut Draw) -> (&'static str, f64, f64) {
    let others: Vec<_> = CITIES.into_iter().filter(|(country, ..)| *country != site.country).collect();
    others[draw.below(others.len())]
}

/// An address of the benchmark range 198.18.0.0/15, which no real line has.
fn line(bits: u32) -> [u8; 4] {
    [198, 18 + (bits & 1) as u8, (bits >> 8) as u8, ((bits >> 16) % 253 + 1) as u8]
}

/// The own laptop; a new one comes every 900 days or so.
fn laptop(world: &World, worker: u32, day: i32) -> String {
    let turn = (day + world.worker(worker).device_day).div_euclid(900).unsigned_abs();
    let number = base::Seed(u64::from(worker)).child("laptop").index(u64::from(turn)).0;
    format!("LT-{:05}", number % 100_000)
}
