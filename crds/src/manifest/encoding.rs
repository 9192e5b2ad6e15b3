//! The text of a file's bytes, or what to do with a file in another encoding.

use super::error::ManifestError;

/// The text of `bytes`, which must be UTF-8.
pub fn decode(file: &str, bytes: Vec<u8>) -> Result<String, ManifestError> {
    let refuse = |line: usize, message: &str| ManifestError {
        file: file.to_owned(),
        line,
        path: String::new(),
        message: message.to_owned(),
    };
    if bytes.starts_with(b"\x1f\x8b") {
        return Err(refuse(1, "is gzip data; unpack the file"));
    }
    // PowerShell's `>` writes UTF-16 with a mark; without one, every other byte of YAML is a zero.
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.iter().take(4).any(|b| *b == 0) {
        let message = "is UTF-16 text; save the file as UTF-8, in PowerShell with: | Out-File -Encoding utf8 FILE";
        return Err(refuse(1, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.split(|byte| *byte == b'\n').count();
        refuse(line, "the line is not UTF-8 text; save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        decode("m.yaml", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn another_encoding_is_told_with_the_remedy() {
        let remedy =
            "m.yaml:1: is UTF-16 text; save the file as UTF-8, in PowerShell with: | Out-File -Encoding utf8 FILE";
        let little: Vec<u8> = "kind: x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "kind: x".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for utf16 in [[&b"\xff\xfe"[..], &little].concat(), [&b"\xfe\xff"[..], &big].concat(), little, big] {
            assert_eq!(told(&utf16), remedy);
        }
        assert_eq!(told(b"a: 1\nb: \xfc\n"), "m.yaml:2: the line is not UTF-8 text; save the file as UTF-8");
        assert_eq!(told(b"\x1f\x8b\x08\x00"), "m.yaml:1: is gzip data; unpack the file");
    }

    #[test]
    fn a_mark_of_utf_8_is_no_other_encoding() {
        assert_eq!(decode("m.yaml", b"\xef\xbb\xbfa: 1".to_vec()).unwrap(), "\u{feff}a: 1");
        assert_eq!(decode("m.yaml", Vec::new()).unwrap(), "");
    }
}
