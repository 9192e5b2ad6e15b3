//! Rules and prices through real proxies: tinyproxy for HTTP CONNECT, microsocks for SOCKS5, each with a password.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use venue::binance::live::{Config, start};
use venue::live::{Link, LinkFault, News};

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

/// Starts a program and waits until it listens.
async fn running(command: &mut Command, port: u16) -> Running {
    let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running = Running(started.expect("apt-get install tinyproxy microsocks"));
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, listens).await.expect("the proxy listens");
    running
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
        rest: vec![format!("http://127.0.0.1:{rest_port}").parse().unwrap()],
        stream: vec![format!("ws://127.0.0.1:{stream_port}").parse().unwrap()],
        proxy: None,
        ca: None,
    }
}

/// How the way to the venue is through this proxy.
async fn link(config: &Config, proxy: &str) -> Link {
    let mut live = start(Config { proxy: Some(proxy.parse().unwrap()), ..config.clone() }).unwrap();
    live.follow([("BTC/USDT".parse().unwrap(), None)].into());
    loop {
        if let News::Link(link) = timeout(DEADLINE, live.news.recv()).await.expect("news in time").unwrap() {
            return link;
        }
    }
}

fn assert_refused(link: Link, words: &[&str]) {
    let Link::Down(LinkFault::Unreachable(told)) = link else { panic!("{link:?}") };
    assert!(words.iter().all(|word| told.contains(word)) && !told.contains("wrong-one"), "{told}");
}

#[tokio::test]
#[ignore = "wants tinyproxy on the machine"]
async fn through_tinyproxy_with_its_password() {
    let (config, port, folder) = (venue().await, free_port().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("tinyproxy.conf");
    std::fs::write(&file, format!("Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nBasicAuth user secret\n")).unwrap();
    let _proxy = running(Command::new("tinyproxy").arg("-d").arg("-c").arg(&file), port).await;
    assert_eq!(link(&config, &format!("http://user:secret@127.0.0.1:{port}")).await, Link::Up);
    let place = format!("the proxy http://127.0.0.1:{port} answered 40");
    assert_refused(link(&config, &format!("http://127.0.0.1:{port}")).await, &[&place, "write USER:PASSWORD@"]);
    assert_refused(link(&config, &format!("http://user:wrong-one@127.0.0.1:{port}")).await, &[&place]);
}

#[tokio::test]
#[ignore = "wants microsocks on the machine"]
async fn through_microsocks_with_its_password() {
    let (config, port) = (venue().await, free_port().await);
    let port_text = port.to_string();
    let arguments = ["-i", "127.0.0.1", "-p", &port_text, "-u", "user", "-P", "secret"];
    let _proxy = running(Command::new("microsocks").args(arguments), port).await;
    assert_eq!(link(&config, &format!("socks5h://user:secret@127.0.0.1:{port}")).await, Link::Up);
    let place = format!("the proxy socks5://127.0.0.1:{port} did not lead to");
    assert_refused(link(&config, &format!("socks5://127.0.0.1:{port}")).await, &[&place, "wants no password"]);
    assert_refused(link(&config, &format!("socks5://user:wrong-one@127.0.0.1:{port}")).await, &[&place]);
}
