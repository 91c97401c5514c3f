//! One word for each way in which TLS fails, for the log and for whoever asks about an attempt.
//! Nothing of what the server sent is in them.

use rustls::{
    AlertDescription as Alert, CertificateError as Certificate, Error, InvalidMessage as Message,
    PeerIncompatible as Incompatible,
};

use super::verify::SelfSigned;

/// The word for an error. Those that begin with `tls_cert_` say that somebody other than we or the
/// network has to repair something.
pub(super) fn word(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::NoCertificatesPresented => "tls_cert_missing",
        Error::NoApplicationProtocol => "tls_nothing_in_common",
        Error::UnsupportedNameType => "tls_bad_name",
        Error::AlertReceived(alert) => self::alert(*alert),
        // What nobody who speaks TLS begins with, whatever its version.
        Error::InvalidMessage(Message::InvalidContentType | Message::UnknownProtocolVersion) => {
            "tls_not_tls"
        }
        Error::InvalidMessage(
            Message::CertificatePayloadTooLarge
            | Message::HandshakePayloadTooLarge
            | Message::MessageTooLarge,
        )
        | Error::PeerSentOversizedRecord => "tls_message_too_large",
        Error::InvalidMessage(_) => "tls_bad_message",
        Error::PeerIncompatible(
            Incompatible::ServerDoesNotSupportTls12Or13
            | Incompatible::ServerTlsVersionIsDisabledByOurConfig
            | Incompatible::SupportedVersionsExtensionRequired
            | Incompatible::Tls12NotOffered
            | Incompatible::Tls12NotOfferedOrEnabled,
        ) => "tls_protocol_version",
        Error::PeerIncompatible(_) => "tls_nothing_in_common",
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => "tls_peer_misbehaved",
        Error::DecryptError => "tls_decrypt",
        _ => "tls_handshake",
    }
}

fn certificate(why: &Certificate) -> &'static str {
    match why {
        Certificate::Expired | Certificate::ExpiredContext { .. } => "tls_cert_expired",
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "tls_cert_not_yet_valid"
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            "tls_cert_wrong_host"
        }
        Certificate::UnknownIssuer => "tls_cert_unknown_ca",
        Certificate::BadSignature => "tls_cert_bad_signature",
        Certificate::UnsupportedSignatureAlgorithmContext { .. }
        | Certificate::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "tls_cert_algorithm"
        }
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            "tls_cert_wrong_purpose"
        }
        Certificate::Other(other) if other.0.is::<SelfSigned>() => "tls_cert_self_signed",
        _ => "tls_cert_invalid",
    }
}

fn alert(alert: Alert) -> &'static str {
    match alert {
        Alert::ProtocolVersion => "tls_protocol_version",
        Alert::HandshakeFailure => "tls_alert_handshake_failure",
        Alert::UnrecognisedName => "tls_alert_unrecognized_name",
        Alert::NoApplicationProtocol => "tls_alert_no_application_protocol",
        Alert::CertificateRequired => "tls_alert_certificate_required",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA => "tls_alert_bad_certificate",
        Alert::AccessDenied => "tls_alert_access_denied",
        Alert::InternalError => "tls_alert_internal_error",
        _ => "tls_alert_other",
    }
}
