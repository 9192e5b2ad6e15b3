//! Requests through proxies that lead there, refuse, hang and want passwords; and TLS with an authority of one's own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{NetError, Network, Proxy, Uri};

/// A server that answers each request with `hello`.
async fn server() -> u16 {
    serve(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
    })
    .await
}

/// Serves each connection in a task of its own.
async fn serve<F: Future<Output = ()> + Send + 'static>(one: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(one(stream));
        }
    });
    port
}

/// The head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A proxy of HTTP that gives this answer, and leads to the target where that is a success. It notes the requests.
async fn http_proxy(answer: &'static str, noted: mpsc::UnboundedSender<String>) -> u16 {
    serve(move |mut stream| {
        let noted = noted.clone();
        async move {
            let request = head(&mut stream).await;
            let target = request.split(' ').nth(1).unwrap().to_owned();
            noted.send(request).unwrap();
            stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.unwrap();
            if answer.starts_with("200") {
                lead(stream, &target).await;
            }
        }
    })
    .await
}

async fn lead(mut stream: TcpStream, target: &str) {
    let mut other = TcpStream::connect(target).await.unwrap();
    // Whichever side goes first ends it.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
}

/// A SOCKS proxy that wants this user and password.
async fn socks_proxy(user: &'static str, password: &'static str) -> u16 {
    serve(move |mut stream| async move {
        let [_, methods] = read::<2>(&mut stream).await;
        let mut offered = vec![0; usize::from(methods)];
        stream.read_exact(&mut offered).await.unwrap();
        if !offered.contains(&2) {
            stream.write_all(&[5, 0xff]).await.unwrap();
            return;
        }
        stream.write_all(&[5, 2]).await.unwrap();
        let [_, length] = read::<2>(&mut stream).await;
        let given_user = text(&mut stream, length).await;
        let [length] = read::<1>(&mut stream).await;
        let given_password = text(&mut stream, length).await;
        let is_right = given_user == user && given_password == password;
        stream.write_all(&[1, u8::from(!is_right)]).await.unwrap();
        if !is_right {
            return;
        }
        // Version, CONNECT, nothing, a name.
        let [5, 1, 0, 3, length] = read::<5>(&mut stream).await else { panic!("not a name") };
        let host = text(&mut stream, length).await;
        let port = u16::from_be_bytes(read::<2>(&mut stream).await);
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).await.unwrap();
        lead(stream, &format!("{host}:{port}")).await;
    })
    .await
}

async fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn text(stream: &mut TcpStream, length: u8) -> String {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn get(proxy: &str, port: u16) -> Result<String, NetError> {
    let proxy: Proxy = proxy.parse().unwrap();
    let mut network = Network::new(Some(&proxy), None).unwrap();
    if port == 9 {
        network.step = Duration::from_millis(100);
    }
    network.get(&format!("http://localhost:{port}/path").parse::<Uri>().unwrap()).await
}

#[tokio::test]
async fn requests_go_through_a_proxy_of_http_with_its_password() {
    let (noted, mut requests) = mpsc::unbounded_channel();
    let (server, proxy) = (server().await, http_proxy("200 Connection established", noted).await);
    assert_eq!(get(&format!("http://us%40er:pass@127.0.0.1:{proxy}"), server).await, Ok("hello".to_owned()));
    let request = requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with(&format!("connect localhost:{server} http/1.1\r\n")), "{request}");
    // us@er:pass in base64.
    assert!(request.contains("proxy-authorization: basic dxnazxi6cgfzcw=="), "{request}");
}

#[tokio::test]
async fn requests_go_through_a_socks_proxy_with_its_password() {
    let (server, proxy) = (server().await, socks_proxy("user", "p:ss").await);
    assert_eq!(get(&format!("socks5://user:p%3Ass@127.0.0.1:{proxy}"), server).await, Ok("hello".to_owned()));
    for (user, remedy) in [("user:wrong@", "check its user and password"), ("", "check that it wants no password")] {
        let Err(NetError::Proxy(words)) = get(&format!("socks5://{user}127.0.0.1:{proxy}"), server).await else {
            panic!("it let {user:?} through")
        };
        let place = format!("the proxy socks5://127.0.0.1:{proxy} did not lead to localhost:{server}: ");
        assert!(words.starts_with(&place) && words.contains(remedy) && !words.contains("wrong"), "{words}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_answer_and_the_remedy() {
    let cases = [
        (
            "407 Proxy Authentication Required",
            "",
            "answered 407: it wants a password: write USER:PASSWORD@ before its host",
        ),
        ("407 Proxy Authentication Required", "user:secret@", "answered 407: its user or password is wrong"),
        ("403 Filtered", "", "answered 403: let it allow CONNECT to localhost:1"),
    ];
    for (answer, user, expected) in cases {
        let (noted, _requests) = mpsc::unbounded_channel();
        let proxy = http_proxy(answer, noted).await;
        let refused = get(&format!("http://{user}127.0.0.1:{proxy}"), 1).await;
        assert_eq!(refused, Err(NetError::Proxy(format!("the proxy http://127.0.0.1:{proxy} {expected}"))));
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_breaks_off_or_is_not_there_is_named() {
    let silent = serve(|mut stream| async move {
        // It reads, and never answers.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let rude = serve(|mut stream| async move { drop(head(&mut stream).await) }).await;
    // A port that was free a moment ago.
    let none = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for scheme in ["http", "socks5"] {
        for (port, words) in [(silent, "did not answer within 100 ms"), (none, "onnection refused")] {
            let Err(NetError::Proxy(told)) = get(&format!("{scheme}://127.0.0.1:{port}"), 9).await else { panic!() };
            assert!(
                told.starts_with(&format!("the proxy {scheme}://127.0.0.1:{port} ")) && told.contains(words),
                "{told}"
            );
        }
    }
    let Err(NetError::Proxy(told)) = get(&format!("http://127.0.0.1:{rude}"), 9).await else { panic!() };
    assert!(told.contains("broke off"), "{told}");
}
