//! A row split at its commas. May not know what the fields mean.

/// Columns of a row of fields that is split at commas.
pub(crate) const COLUMNS_MAX: usize = 12;

/// The fields of one row, not copied.
pub(crate) struct Fields<'a> {
    fields: [&'a str; COLUMNS_MAX],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Splits at commas. Blanks and quotes around a field are dropped; a comma within quotes divides nothing.
    pub(crate) fn split(line: &'a str) -> Self {
        let (mut fields, mut count) = ([""; COLUMNS_MAX], 0);
        let mut rest = Some(line);
        while let Some(text) = rest {
            let field;
            (field, rest) = match text.as_bytes() {
                [b'0'..=b'9', ..] => next_field(text),
                _ => next_quoted(text),
            };
            if let Some(slot) = fields.get_mut(count) {
                *slot = field;
            }
            count += 1;
        }
        Self { fields, count }
    }

    /// How many fields the row has, even those past [`COLUMNS_MAX`].
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The field in `column`, empty where the row has none.
    pub(crate) fn get(&self, column: usize) -> &'a str {
        self.fields.get(column).copied().unwrap_or_default()
    }

    /// The column of this name, where the row is a header.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field == name)
    }
}

/// The field before the next comma, and what is behind it.
fn next_field(text: &str) -> (&str, Option<&str>) {
    // Fields are a few bytes long: to look at each is quicker than to search by words.
    match text.bytes().position(|byte| byte == b',') {
        Some(comma) => (text[..comma].trim_ascii_end(), Some(&text[comma + 1..])),
        None => (text.trim_ascii_end(), None),
    }
}

/// The next field, which may have blanks before it and quotes around it.
fn next_quoted(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_ascii_start();
    if let Some((field, behind)) = text.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
        let behind = behind.trim_ascii_start();
        if behind.is_empty() {
            return (field.trim_ascii(), None);
        }
        if let Some(rest) = behind.strip_prefix(',') {
            return (field.trim_ascii(), Some(rest));
        }
    }
    next_field(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lose_blanks_and_quotes_but_no_comma_within() {
        for (line, expected) in [
            ("1,2,3", vec!["1", "2", "3"]),
            ("1, 2 ,\t3 ", vec!["1", "2", "3"]),
            ("\"1\",\"2\", \"3\" ", vec!["1", "2", "3"]),
            ("1,\"1,600.50\",3", vec!["1", "1,600.50", "3"]),
            ("1,,", vec!["1", "", ""]),
            ("", vec![""]),
            ("\"1,2", vec!["\"1", "2"]),
            ("\"1\"2,3", vec!["\"1\"2", "3"]),
        ] {
            let fields = Fields::split(line);
            let found: Vec<&str> = (0..fields.count()).map(|at| fields.get(at)).collect();
            assert_eq!(found, expected, "{line:?}");
        }
    }
}
