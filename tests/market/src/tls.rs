//! A certificate of our own for https and wss.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Names and addresses for which it is good.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// No certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// By its maker.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// By its user.
    #[error("TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// On disk.
    #[error("{0}: {1}")]
    Write(PathBuf, io::Error),
}

/// Makes an authority and a certificate, and writes the authority as `ca.pem` into the folder; its path, and what
/// accepts clients.
pub fn acceptor(folder: &Path) -> Result<(PathBuf, TlsAcceptor), TlsError> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "market-server test authority");
    let signed = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(NAMES.map(str::to_owned))?;
    parameters.distinguished_name.push(DnType::CommonName, "market-server");
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&key, &issuer)?;

    let path = folder.join("ca.pem");
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, signed.pem()));
    written.map_err(|error| TlsError::Write(path.clone(), error))?;
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok((path, TlsAcceptor::from(Arc::new(config))))
}
