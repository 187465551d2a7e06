//! Texts as numbers: each text is held once, and rows hold four bytes for it. Numbers follow the order of arrival and
//! must therefore never decide an answer or reach an output.

use std::sync::Arc;

use base::FastMap;

/// A text held by [`Symbols`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Symbol(std::num::NonZeroU32);

/// The texts.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    numbers: FastMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Symbols {
    /// The symbol of a text, new if need be. Whoever adds keeps below `limits::SYMBOLS_MAX`.
    pub(crate) fn add(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(text) {
            return *symbol;
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        let number = u32::try_from(self.texts.len()).ok().and_then(std::num::NonZeroU32::new);
        let symbol = Symbol(number.expect("the limit on symbols is below 2^32"));
        self.numbers.insert(text, symbol);
        symbol
    }

    /// The symbol of a text that is known already.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        self.numbers.get(text).copied()
    }

    /// The text of a symbol.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.0.get() as usize - 1]
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}
