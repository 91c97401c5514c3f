//! The field that proves to a subscriber that a notice comes from its hub (WebSub section 7.1).
//! It keeps no key made ready: a secret is used a few times and far apart.

use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key};

use super::sign::hex;
use crate::model::{Seal, SealMethod};

/// The field.
pub(super) const FIELD: &str = "X-Hub-Signature";

/// Appends the field's value for exactly this body. Nothing is allocated but what `out` needs to
/// grow.
pub(super) fn write(out: &mut Vec<u8>, seal: &Seal, body: &[u8]) {
    let (name, algorithm) = match seal.method {
        SealMethod::Sha1 => ("sha1", HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        SealMethod::Sha256 => ("sha256", HMAC_SHA256),
        SealMethod::Sha384 => ("sha384", HMAC_SHA384),
        SealMethod::Sha512 => ("sha512", HMAC_SHA512),
    };
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    let key = Key::new(algorithm, &seal.secret);
    hex(out, hmac::sign(&key, body).as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(method: SealMethod, secret: &[u8], body: &[u8]) -> String {
        let secret = secret.into();
        let mut out = Vec::new();
        write(&mut out, &Seal { method, secret }, body);
        String::from_utf8(out).unwrap()
    }

    const JEFE: &[u8] = b"Jefe";
    const WHAT: &[u8] = b"what do ya want for nothing?";
    const LARGER: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
    const SECRET: &str = "gehe\u{ef}m \u{2713}";
    const FEED: &[u8] = b"<feed>\r\n\0\xff</feed>";

    /// The cases of RFC 2202 section 3 and RFC 4231 sections 4.3 and 4.7, and an Atom feed's bytes
    /// under a secret that is no ASCII, as another implementation has them.
    const VECTORS: &[(SealMethod, &[u8], &[u8], &str)] = &[
        (
            SealMethod::Sha1,
            JEFE,
            WHAT,
            "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            SealMethod::Sha256,
            JEFE,
            WHAT,
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            SealMethod::Sha384,
            JEFE,
            WHAT,
            "sha384=af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e224\
                 0ca5e69e2c78b3239ecfab21649",
        ),
        (
            SealMethod::Sha512,
            JEFE,
            WHAT,
            "sha512=164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758b\
                 f75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            SealMethod::Sha1,
            &[0xaa; 80],
            LARGER,
            "sha1=aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
        (
            SealMethod::Sha256,
            &[0xaa; 131],
            LARGER,
            "sha256=60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            SealMethod::Sha384,
            &[0xaa; 131],
            LARGER,
            "sha384=4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef\
                 6ab4030fe8296248df163f44952",
        ),
        (
            SealMethod::Sha512,
            &[0xaa; 131],
            LARGER,
            "sha512=80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d\
                 037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ),
        (
            SealMethod::Sha1,
            SECRET.as_bytes(),
            FEED,
            "sha1=241e2d861fe12b9bbc68d8b03d588dedfa7a63c2",
        ),
        (
            SealMethod::Sha256,
            SECRET.as_bytes(),
            FEED,
            "sha256=0c80deb7b0900af88a285da1d0315034943ea200940e50596c12bd8b5226fe04",
        ),
        (
            SealMethod::Sha384,
            SECRET.as_bytes(),
            FEED,
            "sha384=d281d76380b6db1dfd55c89a2e863b05b63caabb89696056e0ec40d9e5eceec47f98f\
                 1b33b56a6d32c9de9eca8ac4b76",
        ),
        (
            SealMethod::Sha512,
            SECRET.as_bytes(),
            FEED,
            "sha512=48487dc95317a029b1a45d4d1a71ef2cdd008fe5935dab74f648b3f776b5066fe8c95\
                 15d56e71f2b38a24c354ae2cb2a41a175b890e83dbec40c22b755d2a998",
        ),
        (
            SealMethod::Sha256,
            SECRET.as_bytes(),
            b"",
            "sha256=fe4c8d4bb1d0e626f12199044f1a86c372dd6f2c2de2d4ab4ab90c99f3560e16",
        ),
    ];

    #[test]
    fn published_vectors() {
        for (method, secret, body, want) in VECTORS {
            assert_eq!(sealed(*method, secret, body), *want, "{method:?}");
        }
    }
}
