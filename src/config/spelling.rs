//! The nearest right word.

use strsim::damerau_levenshtein;

/// The word of `known` that `word` was most likely meant to be; `None` when more than a third of it differs.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    // A longer one is no misspelling; the distance grows with the product of both lengths.
    let word: String = word.to_lowercase().chars().take(64).collect();
    let distances = known.into_iter().map(|known| (damerau_levenshtein(&word, &known.to_lowercase()), known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= nearest.len()).then(|| nearest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelling_finds_its_word_and_a_foreign_word_none() {
        let known = ["objectName", "secretPath", "secretKey"];
        assert_eq!(nearest("objectname", known).as_deref(), Some("objectName"));
        assert_eq!(nearest("secertKey", known).as_deref(), Some("secretKey"));
        assert_eq!(nearest("refresh", known), None);
    }
}
