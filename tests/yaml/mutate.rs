//! Documents that are almost those of the corpus.

/// A generator of numbers that repeats itself for each seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, 0 if that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }
}

/// The texts that mutations insert: everything with a meaning in YAML.
const PIECES: [&str; 76] = [
    " ",
    "  ",
    "\n",
    "\n\n",
    "\n ",
    "\n  ",
    "\n    ",
    "\t",
    "\r\n",
    "\r",
    "- ",
    "-",
    "? ",
    "?",
    ": ",
    ":",
    ",",
    ", ",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "#",
    " #",
    "# c\n",
    " # c\n\t# d\n",
    "&a ",
    "&a",
    "*a",
    "*a ",
    "!",
    "!!",
    "!!str ",
    "!!int ",
    "!!binary ",
    "!a!b ",
    "!<a> ",
    "!%41 ",
    "|",
    "|\n",
    "|-\n",
    "|+2\n",
    ">",
    ">\n",
    ">1\n",
    "'",
    "''",
    "\"",
    "\"\"",
    "\\",
    "\\\n",
    "\\x41",
    "\\u00e9",
    "\\U0001F600",
    "%",
    "%YAML 1.1\n---\n",
    "%TAG !a! tag:b,\n---\n",
    "\n---\n",
    "\n...\n",
    "---",
    "...",
    "@",
    "`",
    "<<: ",
    "<<: *a",
    "~",
    "null",
    "true",
    "0640",
    "1e3",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "é",
];

/// A document of `corpus` with one to four changes.
pub(crate) fn mutate(corpus: &[String], random: &mut Random) -> String {
    let document = random.below(corpus.len());
    let mut text: Vec<char> = corpus[document].chars().collect();
    for _ in 0..=random.below(4) {
        let start = random.below(text.len() + 1);
        let end = (start + random.below(4)).min(text.len());
        match random.below(8) {
            0 => drop(text.drain(start..end)),
            1 => {
                let copied = text[start..(start + random.below(12)).min(text.len())].to_vec();
                let target = random.below(text.len() + 1);
                text.splice(target..target, copied);
            }
            2 => {
                let other: Vec<char> = corpus[random.below(corpus.len())].chars().collect();
                let from = random.below(other.len() + 1);
                let until = (from + random.below(24)).min(other.len());
                text.splice(start..start, other[from..until].iter().copied());
            }
            3 if random.below(4) == 0 => text.truncate(start),
            4 => drop(text.splice(start..end, PIECES[random.below(PIECES.len())].chars())),
            _ => drop(text.splice(start..start, PIECES[random.below(PIECES.len())].chars())),
        }
    }
    text.into_iter().collect()
}
