//! Whether a form was sent from a page of this console.

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use http::uri::{Authority, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request that changes something comes from the same origin. Every current browser sends one of the two
/// headers, so a request without them is refused.
///
/// `expected` is the origin under which the host is reached. Without it, the origin must name the host that the request
/// names.
pub(crate) fn is_same(headers: &HeaderMap, uri: &Uri, expected: Option<&str>) -> bool {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let origin = text(ORIGIN);
    let site = text(SEC_FETCH_SITE);
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match (origin, expected) {
        // The browser itself says that the page has the same origin.
        (None, _) => site.is_some(),
        (Some(origin), Some(expected)) => origin.eq_ignore_ascii_case(expected),
        (Some(origin), None) => {
            let host = text(HOST).or(uri.authority().map(Authority::as_str));
            let named = origin.split_once("://").map(|(_, authority)| authority);
            matches!((host, named), (Some(host), Some(named)) if host.eq_ignore_ascii_case(named))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>()
    }

    #[test]
    fn only_a_page_of_ours_may_send_a_form() {
        let uri = Uri::from_static("/holds/stop");
        for (lines, expected, is_ours) in [
            (vec![("host", "a.example"), ("origin", "https://a.example")], None, true),
            (vec![("host", "a.example:8080"), ("origin", "http://a.example:8080")], None, true),
            (vec![("host", "a.example"), ("origin", "https://b.example")], None, false),
            (vec![("host", "a.example"), ("origin", "null")], None, false),
            (vec![("host", "a.example"), ("origin", "https://a.example.b.example")], None, false),
            (vec![("host", "a.example")], None, false),
            (vec![], None, false),
            (vec![("sec-fetch-site", "same-origin")], None, true),
            (vec![("sec-fetch-site", "same-site")], None, false),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("host", "a.example"),
                    ("origin", "https://a.example"),
                ],
                None,
                false,
            ),
            (vec![("sec-fetch-site", "none")], None, false),
            (vec![("host", "inner:80"), ("origin", "https://a.example")], Some("https://a.example"), true),
            (vec![("host", "a.example"), ("origin", "http://a.example")], Some("https://a.example"), false),
        ] {
            assert_eq!(is_same(&headers(&lines), &uri, expected), is_ours, "{lines:?}");
        }
    }
}
