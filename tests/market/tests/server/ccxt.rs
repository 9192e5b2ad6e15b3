//! Somebody else's client, unmodified: ccxt from PyPI reads prices with its documented options; and TLS, with the
//! certificate that the server makes.

use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_tungstenite::tungstenite;

use crate::client::{PATIENCE, server};

/// As its documentation of that version says.
const CCXT: &str = "ccxt==4.5.90";

fn success(output: &Output, what: &str) {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {out}{error}");
}

/// A Python with that version of ccxt, made once and kept.
fn python() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).expect("a home");
    let cache = cache.join("glm");
    let folder = cache.join(CCXT.replace("==", "-"));
    if !folder.exists() {
        std::fs::create_dir_all(&cache).expect("a cache");
        // Beside it first: what is interrupted or made twice leaves no half of it.
        let made = tempfile::tempdir_in(&cache).expect("a folder");
        let venv = made.path().join("venv");
        let run = |program: &Path, arguments: &[&str]| {
            success(&Command::new(program).args(arguments).output().expect("it runs"), "python3");
        };
        run(Path::new("python3"), &["-m", "venv", &venv.display().to_string()]);
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", CCXT];
        run(&venv.join("bin/python3"), &pip);
        // Another test may have been first.
        drop(std::fs::rename(&venv, &folder));
    }
    folder.join("bin/python3")
}

fn ccxt(options: &[&str]) {
    let server = server(options);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ccxt/client.py");
    let mut command = Command::new(python());
    command.arg(script).args([&server.endpoints.rest, &server.endpoints.stream]);
    // Nothing of the machine's own settings: the client speaks to the server directly.
    command.env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
    command.envs(server.endpoints.ca.iter().map(|ca| ("SSL_CERT_FILE", ca)));
    success(&command.output().expect("Python runs"), "ccxt");
}

#[test]
fn ccxt_reads_rules_tickers_klines_trades_and_streams() {
    ccxt(&["--random", "7", "--history", "3600", "--speed", "2"]);
}

#[test]
fn streams_and_requests_go_over_tls_with_its_own_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&["--random", "7", "--speed", "20", "--tls", &folder.path().display().to_string()]);
    let ca = server.endpoints.ca.clone().expect("an authority");
    assert!(server.endpoints.rest.starts_with("https://") && server.endpoints.stream.starts_with("wss://"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let connect = |base: &str| {
        let host = base.split_once("//").expect("a URL").1;
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let tcp = TcpStream::connect(host).expect("it listens");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
        StreamOwned::new(ClientConnection::new(Arc::clone(&config), name).expect("a client"), tcp)
    };
    let (mut socket, _) =
        tungstenite::client(format!("{}/ws/btcusdt@trade", server.endpoints.stream), connect(&server.endpoints.stream))
            .expect("a handshake");
    assert!(socket.read().expect("a frame").to_text().expect("text").contains("\"e\":\"trade\""));
    let mut https = connect(&server.endpoints.rest);
    std::io::Write::write_all(&mut https, b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    // Some servers end without TLS's own end.
    drop(https.read_to_string(&mut answer));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
