//! The query of a request.

use std::str::FromStr;

use super::Refused;

/// Names and values, decoded.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query as it stands in the URL.
    pub fn parse(query: &str) -> Result<Self, Refused> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let parsed = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name).ok_or_else(|| illegal("name"))?;
            let value = decoded(value).ok_or_else(|| illegal(&name))?;
            Ok((name, value))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that there must be.
    pub fn need(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            Refused::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
        })
    }

    /// A number that may be given.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refused> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let legal = "^[0-9]{1,20}$";
            Refused::new(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{legal}'."))
        })
    }

    /// How many are asked for; more than `most` is `most`, as on the exchange.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Refused> {
        match self.number::<usize>("limit")? {
            Some(0) => Err(Refused::new(-1130, "Data sent for parameter 'limit' is not valid.")),
            limit => Ok(limit.unwrap_or(default).min(most)),
        }
    }

    /// The symbols of `symbol` or `symbols`; `None` if neither is given.
    pub fn symbols(&self) -> Result<Option<Vec<String>>, Refused> {
        match (self.get("symbol"), self.get("symbols")) {
            (Some(_), Some(_)) => Err(Refused::new(-1128, "Combination of optional parameters invalid.")),
            (Some(symbol), None) => Ok(Some(vec![legal(symbol, "symbol")?])),
            (None, Some(symbols)) => {
                let list: Vec<String> = serde_json::from_str(symbols).map_err(|_| illegal("symbols"))?;
                list.iter().map(|symbol| legal(symbol, "symbols")).collect::<Result<_, _>>().map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// The symbol that there must be.
    pub fn symbol(&self) -> Result<String, Refused> {
        legal(self.need("symbol")?, "symbol")
    }
}

fn illegal(name: &str) -> Refused {
    let legal = r"^[\w\-._&&[^a-z]]{1,50}$";
    let msg = format!("Illegal characters found in parameter '{name}'; legal range is '{legal}'.");
    Refused::new(-1100, msg)
}

fn legal(symbol: &str, name: &str) -> Result<String, Refused> {
    let fits = |c: char| (c.is_alphanumeric() && !c.is_ascii_lowercase()) || "-._".contains(c);
    let legal = !symbol.is_empty() && symbol.chars().count() <= 50 && symbol.chars().all(fits);
    if legal { Ok(symbol.to_owned()) } else { Err(illegal(name)) }
}

/// Undoes percent-encoding; `None` if it is none, or no UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?,
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_decoded_and_bad_ones_named() {
        let of = |query: &str| Parameters::parse(query).and_then(|parameters| parameters.symbols());
        let names = |names: &[&str]| Ok(Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
        assert_eq!(of("symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D"), names(&["BTCUSDT", "ETHUSDT"]));
        assert_eq!(of("symbol=%E8%BF%99%E6%98%AF456"), names(&["这是456"]));
        assert_eq!(of(""), Ok(None));
        for (query, code) in [
            ("symbol=btcusdt", -1100),
            ("symbol=%GG", -1100),
            ("symbol=%FF", -1100),
            ("symbols=BTCUSDT", -1100),
            ("symbol=A&symbols=%5B%5D", -1128),
        ] {
            assert_eq!(of(query).expect_err("it is bad").code, code, "{query}");
        }
    }
}
