//! Invented names: surnames with a Zipf distribution, given names and streets, put together from syllables.

use crate::draw::Draw;

const ONSETS: [&str; 40] = [
    "Al", "Bar", "Bel", "Bor", "Cal", "Cor", "Dal", "Den", "Dor", "El", "Fal", "Fen", "Gar", "Gil", "Hal", "Har",
    "Hol", "Ing", "Jar", "Kel", "Kor", "Lam", "Lin", "Mar", "Mel", "Mor", "Nor", "Ol", "Pel", "Quin", "Ral", "Ros",
    "Sal", "Sel", "Tal", "Tor", "Ul", "Van", "Wel", "Yor",
];
const CODAS: [&str; 40] = [
    "adan", "ak", "ander", "berg", "beck", "by", "croft", "dal", "dert", "ema", "en", "ert", "feld", "field", "gan",
    "gard", "hof", "horst", "ick", "ing", "inga", "kamp", "ker", "land", "ler", "low", "man", "mer", "mont", "ner",
    "over", "quist", "rick", "sen", "sma", "stad", "ter", "ton", "vik", "wood",
];
const GIVEN_ONSETS: [&str; 12] = ["A", "Ben", "Da", "E", "Fe", "Jo", "Ka", "Li", "Ma", "No", "Sa", "Ti"];
const GIVEN_CODAS: [&str; 6] = ["nna", "ris", "lia", "ra", "mon", "den"];
const STREET_ENDS: [&str; 4] = ["Street", "Lane", "Road", "Square"];

/// How many surnames there are.
pub(crate) const SURNAMES: usize = ONSETS.len() * CODAS.len();
/// How many given names there are.
pub(crate) const GIVEN: usize = GIVEN_ONSETS.len() * GIVEN_CODAS.len();

/// Draws surnames so that few are common and most are rare.
pub(crate) struct Surnames {
    cumulative: Vec<f64>,
}

impl Surnames {
    pub(crate) fn new() -> Self {
        let mut sum = 0.0;
        let weights = (0..SURNAMES).map(|rank| 1.0 / (rank as f64 + 6.0));
        let cumulative = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// The number of a surname.
    pub(crate) fn draw(&self, draw: &mut Draw) -> u16 {
        let at = draw.unit() * self.cumulative[SURNAMES - 1];
        self.cumulative.partition_point(|sum| *sum <= at).min(SURNAMES - 1) as u16
    }

    /// Share of the population with this surname.
    pub(crate) fn frequency(&self, surname: u16) -> f64 {
        let index = usize::from(surname);
        let below = if index == 0 { 0.0 } else { self.cumulative[index - 1] };
        (self.cumulative[index] - below) / self.cumulative[SURNAMES - 1]
    }
}

/// The text of a surname. Neighbouring ranks share no syllable, so that rank cannot be read off the text.
pub(crate) fn surname(number: u16) -> String {
    let mixed = (usize::from(number) * 757 + 11) % SURNAMES;
    format!("{}{}", ONSETS[mixed / CODAS.len()], CODAS[mixed % CODAS.len()])
}

/// The text of a given name.
pub(crate) fn given(number: u8) -> String {
    let number = usize::from(number) % GIVEN;
    format!("{}{}", GIVEN_ONSETS[number / GIVEN_CODAS.len()], GIVEN_CODAS[number % GIVEN_CODAS.len()])
}

/// The text of a street's name.
pub(crate) fn street(number: u16) -> String {
    let number = usize::from(number);
    let stem = (number * 311 + 5) % SURNAMES;
    let end = STREET_ENDS[(number / 7) % STREET_ENDS.len()];
    format!("{}{} {end}", ONSETS[stem / CODAS.len()], CODAS[stem % CODAS.len()])
}
