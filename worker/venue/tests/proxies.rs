//! Rules and prices through real proxies: tinyproxy and squid for HTTP CONNECT, microsocks and Dante for SOCKS5: with a
//! password, with none or a wrong one where one is wanted, with one that refuses, and one that hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use venue::binance::live::{Config, Product, start};
use venue::live::{Link, LinkFault, Live, News};

const DEADLINE: Duration = Duration::from_secs(20);
const RULES: &str = r#"{"serverTime":1800000000000,"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[]}]}"#;

/// A proxy that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a program on a free port and waits until it listens. Until it does, the port is free for all, also as the near
/// end of somebody's connection: a program that found it taken has ended, and another port is tried.
async fn running(program: impl Fn(u16) -> Command) -> (Running, u16) {
    let mut ended = Vec::new();
    while ended.len() < 5 {
        let port = free_port().await;
        let started = program(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut running = Running(started.expect("apt-get install tinyproxy microsocks squid dante-server"));
        let listens = async {
            loop {
                if let Some(status) = running.0.try_wait().unwrap() {
                    return Err(status);
                }
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return Ok(());
                }
                // Each try takes a port too, so they are few.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match timeout(DEADLINE, listens).await.expect("the proxy listens or ends") {
            Ok(()) => return (running, port),
            Err(status) => ended.push((port, status)),
        }
    }
    panic!("it ended each time: {ended:?}");
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// A venue that answers requests with rules, and each subscription.
async fn venue() -> Config {
    let (rest, stream) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let [rest_port, stream_port] = [&rest, &stream].map(|listener| listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = rest.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{RULES}", RULES.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    tokio::spawn(async move {
        use futures::{SinkExt as _, StreamExt as _};
        while let Ok((stream, _)) = stream.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    socket.send(r#"{"result":null,"id":1}"#.into()).await.unwrap();
                }
            }
        }
    });
    Config {
        product: Product::Spot,
        rest: vec![format!("http://127.0.0.1:{rest_port}").parse().unwrap()],
        stream: vec![format!("ws://127.0.0.1:{stream_port}").parse().unwrap()],
        proxy: None,
        ca: None,
    }
}

/// How the way to the venue is through this proxy.
async fn link(config: &Config, proxy: &str) -> Link {
    first_link(start(Config { proxy: Some(proxy.parse().unwrap()), ..config.clone() }).unwrap()).await
}

async fn first_link(mut live: Live) -> Link {
    live.follow([("BTC/USDT".parse().unwrap(), None)].into());
    loop {
        if let News::Link(link) = timeout(DEADLINE, live.news.recv()).await.expect("news in time").unwrap() {
            return link;
        }
    }
}

/// What a proxy reads, as long as it is kept.
type Folders = [tempfile::TempDir; 2];

/// A folder with this file in it, which a proxy that gives up root can read too.
fn readable(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (&*file, 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    (folder, file)
}

fn ports(config: &Config) -> [u16; 2] {
    [&config.rest, &config.stream].map(|hosts| hosts[0].port_u16().unwrap())
}

fn assert_refused(link: Link, words: &[&str]) {
    let Link::Down(LinkFault::Unreachable(told)) = link else { panic!("{link:?}") };
    assert!(words.iter().all(|word| told.contains(word)) && !told.contains("wrong-one"), "{told}");
}

#[tokio::test]
async fn through_tinyproxy_with_its_password() {
    let (config, folder) = (venue().await, tempfile::tempdir().unwrap());
    let (_proxy, port) = running(|port| {
        let file = folder.path().join("tinyproxy.conf");
        let text = format!("Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth user secret\n");
        std::fs::write(&file, text).unwrap();
        let mut tinyproxy = Command::new("tinyproxy");
        tinyproxy.args(["-d", "-c"]).arg(&file);
        tinyproxy
    })
    .await;
    assert_eq!(link(&config, &format!("http://user:secret@127.0.0.1:{port}")).await, Link::Up);
    let place = format!("the proxy http://127.0.0.1:{port} answered 40");
    assert_refused(link(&config, &format!("http://127.0.0.1:{port}")).await, &[&place, "write USER:PASSWORD@"]);
    assert_refused(link(&config, &format!("http://user:wrong-one@127.0.0.1:{port}")).await, &[&place]);
}

#[tokio::test]
async fn through_microsocks_with_its_password() {
    let config = venue().await;
    let (_proxy, port) = running(|port| {
        let mut microsocks = Command::new("microsocks");
        microsocks.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-u", "user", "-P", "secret"]);
        microsocks
    })
    .await;
    assert_eq!(link(&config, &format!("socks5h://user:secret@127.0.0.1:{port}")).await, Link::Up);
    let place = format!("the proxy socks5://127.0.0.1:{port} did not lead to");
    assert_refused(link(&config, &format!("socks5://127.0.0.1:{port}")).await, &[&place, "wants no password"]);
    assert_refused(link(&config, &format!("socks5://user:wrong-one@127.0.0.1:{port}")).await, &[&place]);
}

/// Squid and its port, for who knows the password; it refuses to lead to `refused`.
async fn squid(refused: u16) -> (Running, u16, Folders) {
    // The password is `secret`.
    let (users, passwords) = readable("users", "user:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\n");
    let mut rest = format!("acl refused port {refused}\n");
    let _ = writeln!(rest, "auth_param basic program /usr/lib/squid/basic_ncsa_auth {}", passwords.display());
    rest.push_str(
        "auth_param basic children 1\nacl known proxy_auth REQUIRED\nhttp_access deny refused\nhttp_access allow known\n\
         http_access deny all\npid_filename none\naccess_log none\ncache_log /dev/null\ncache_store_log none\n\
         netdb_filename none\nshutdown_lifetime 0 seconds\ncoredump_dir /tmp\n",
    );
    let (folder, file) = readable("squid.conf", &rest);
    let (running, port) = running(|port| {
        std::fs::write(&file, format!("http_port 127.0.0.1:{port}\n{rest}")).unwrap();
        let mut squid = Command::new("squid");
        squid.args(["-N", "-f"]).arg(&file);
        squid
    })
    .await;
    (running, port, [users, folder])
}

#[tokio::test]
async fn through_squid_with_its_password_and_where_it_refuses() {
    let config = venue().await;
    let [_, streams] = ports(&config);
    let (proxy, port, _folders) = squid(free_port().await).await;
    assert_eq!(link(&config, &format!("http://user:secret@127.0.0.1:{port}")).await, Link::Up);
    let place = format!("the proxy http://127.0.0.1:{port} answered 407");
    assert_refused(link(&config, &format!("http://127.0.0.1:{port}")).await, &[&place, "write USER:PASSWORD@"]);
    assert_refused(link(&config, &format!("http://user:wrong-one@127.0.0.1:{port}")).await, &[&place]);
    // One that lets requests through, and streams not.
    drop(proxy);
    let (_proxy, port, _folders) = squid(streams).await;
    let place = format!("the proxy http://127.0.0.1:{port} answered 403");
    assert_refused(link(&config, &format!("http://user:secret@127.0.0.1:{port}")).await, &[&place]);
}

#[tokio::test]
async fn a_proxy_that_hangs_is_given_up_and_named() {
    let config = venue().await;
    let (proxy, port, _folders) = squid(free_port().await).await;
    // It is stopped: the machine takes connections for it, and nobody answers.
    let stopped = Command::new("kill").args(["-STOP", &proxy.0.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let place = format!("the proxy http://127.0.0.1:{port} did not answer within");
    assert_refused(link(&config, &format!("http://user:secret@127.0.0.1:{port}")).await, &[&place]);
}

/// Dante and its port, with this way of knowing who comes; it refuses to lead to `refused`.
async fn dante(method: &str, refused: u16) -> (Running, u16, tempfile::TempDir) {
    let (folder, file) = readable("danted.conf", "");
    let (running, port) = running(|port| {
        let text = format!(
            "logoutput: /dev/null\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nsocksmethod: {method}\n\
             clientmethod: none\nuser.unprivileged: nobody\nclient pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n\
             socks block {{ from: 127.0.0.0/8 to: 127.0.0.0/8 port = {refused} }}\n\
             socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut dante = Command::new("danted");
        dante.arg("-f").arg(&file);
        dante
    })
    .await;
    (running, port, folder)
}

#[tokio::test]
async fn through_dante_and_where_it_refuses_or_wants_a_password() {
    let config = venue().await;
    let [_, streams] = ports(&config);
    let (open, port, _folder) = dante("none", free_port().await).await;
    assert_eq!(link(&config, &format!("socks5h://127.0.0.1:{port}")).await, Link::Up);
    drop(open);
    let (blocking, port, _folder) = dante("none", streams).await;
    let place = |port| format!("the proxy socks5://127.0.0.1:{port} did not lead to");
    assert_refused(link(&config, &format!("socks5://127.0.0.1:{port}")).await, &[&place(port)]);
    drop(blocking);
    // Its users are those of the machine, and this is none.
    let (_closed, port, _folder) = dante("username", free_port().await).await;
    assert_refused(link(&config, &format!("socks5://127.0.0.1:{port}")).await, &[&place(port), "wants no password"]);
    assert_refused(link(&config, &format!("socks5://glm-nobody:wrong-one@127.0.0.1:{port}")).await, &[&place(port)]);
}

/// What the test below does in a process of its own, whose variables it sets.
const CHILD: &str = "GLM_TEST_OF_VARIABLES";

/// Without a proxy of its own a source takes that of the usual variables, but to the hosts of `NO_PROXY`.
#[tokio::test]
async fn the_usual_variables_lead_through_a_proxy_and_around_it() {
    if std::env::var_os(CHILD).is_some() {
        let live = start(venue().await).unwrap();
        println!("link: {:?}", first_link(live).await);
        return;
    }
    let (_proxy, port, _folders) = squid(free_port().await).await;
    let told = |user: &str, around: &str| {
        let this = std::env::current_exe().unwrap();
        let name = "the_usual_variables_lead_through_a_proxy_and_around_it";
        let mut command = Command::new(this);
        command.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("NO_PROXY", around);
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(variable);
        }
        let output = command.env("ALL_PROXY", format!("http://{user}127.0.0.1:{port}")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told("user:secret@", "").contains("link: Up"));
    assert!(told("", "").contains("answered 407"));
    assert!(told("", "localhost,127.0.0.0/8").contains("link: Up"));
}
