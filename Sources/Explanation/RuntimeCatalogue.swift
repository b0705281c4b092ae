// The data file of runtimes and servers. It is Swift and not a resource, because a typed array is checked by the
// compiler, needs no parser, no file at run time and no Foundation (Bundle), and costs nothing until it is asked for.
//
// An entry is here only if its defaults were seen (`watched`: strace -e setsockopt,bind on Debian 12 and what else
// is named) or read in its source or manual (`read`). Settings that were not tried or read are nil.

extension Runtime {
  /// Every runtime and server that is known, languages first.
  package static let catalogue: [Runtime] = languages + swift + webServers + databases + nameServers + system

  private static let languages: [Runtime] = [
    Runtime(
      "node", aliases: ["nodejs"], executables: ["node", "nodejs"], reuseaddr: true,
      v6only: .cleared,
      settings: Settings(
        reuseport: "server.listen({ port, reusePort: true })",
        v6only: "server.listen({ port, host: \"::\", ipv6Only: true })", address: "server.listen(port, host)"),
      evidence: .watched("node 20.20"), source: "https://nodejs.org/api/net.html#serverlistenoptions-callback"),
    Runtime(
      "python", aliases: ["python3", "http.server"], executables: ["python", "pypy"], reuseaddr: true,
      v6only: .cleared,
      settings: Settings(
        reuseport: "allow_reuse_port = True on the server class, or socket.create_server(…, reuse_port=True)",
        address: "python3 -m http.server --bind ADDRESS"),
      evidence: .watched("http.server of Python 3.11"), source: "https://docs.python.org/3/library/http.server.html"),
    Runtime(
      "socketserver", reuseaddr: false, v6only: .host,
      settings: Settings(
        reuseaddr: "allow_reuse_address = True on the server class",
        reuseport: "allow_reuse_port = True on the server class"),
      evidence: .watched("socketserver.TCPServer of Python 3.11"),
      source: "https://docs.python.org/3/library/socketserver.html"),
    Runtime(
      "asyncio", reuseaddr: true, v6only: .set,
      settings: Settings(reuseport: "loop.create_server(…, reuse_port=True)", address: "loop.create_server(…, host)"),
      evidence: .watched("asyncio.start_server of Python 3.11"),
      source: "https://docs.python.org/3/library/asyncio-eventloop.html"),
    Runtime(
      "uvicorn", executables: ["uvicorn"], reuseaddr: true, v6only: .set,
      settings: Settings(reuseport: "--fd with a socket of your own", address: "--host"),
      evidence: .watched("uvicorn 0.17 without --workers"), source: "https://www.uvicorn.org/settings/"),
    Runtime(
      "gunicorn", executables: ["gunicorn"], reuseaddr: true, v6only: .host,
      settings: Settings(reuseport: "--reuse-port", address: "--bind"), evidence: .watched("gunicorn 20.1"),
      source: "https://docs.gunicorn.org/en/stable/settings.html#reuse-port"),
    Runtime(
      "java", aliases: ["jvm"], executables: ["java"], reuseaddr: true,
      v6only: .cleared,
      settings: Settings(
        reuseport: "serverSocket.setOption(StandardSocketOptions.SO_REUSEPORT, true)",
        v6only: "-Djava.net.preferIPv4Stack=true (IPv4 alone)"),
      evidence: .watched("ServerSocket, ServerSocketChannel and HttpServer of OpenJDK 17"),
      source: "https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/net/StandardSocketOptions.html"),
    Runtime(
      "dotnet", aliases: [".net", "kestrel"], executables: ["dotnet"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true)"),
      evidence: .read("SystemNative_Bind of dotnet/runtime; dotnet/corefx pull request 24809"),
      source: "https://github.com/dotnet/corefx/pull/24809"),
    Runtime(
      "go", aliases: ["golang"], reuseaddr: true, v6only: .cleared,
      settings: Settings(
        reuseport: "net.ListenConfig{Control: …}, which calls setsockopt SO_REUSEPORT",
        v6only: "net.Listen(\"tcp6\", …)", address: "net.Listen(\"tcp\", \"ADDRESS:PORT\")"),
      evidence: .watched("net.Listen of Go 1.19"), source: "https://pkg.go.dev/net#ListenConfig"),
    Runtime(
      "rust", aliases: ["tokio", "mio"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "socket2::Socket::set_reuse_port(true)", v6only: "socket2::Socket::set_only_v6(true)",
        address: "TcpListener::bind"),
      evidence: .watched("std::net::TcpListener of Rust 1.95"),
      source: "https://docs.rs/socket2/latest/socket2/struct.Socket.html"),
    Runtime(
      "ruby", executables: ["ruby"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "Socket.new, then setsockopt(:SOCKET, :REUSEPORT, true) before bind",
        address: "TCPServer.new(host, port)"),
      evidence: .watched("TCPServer of Ruby 3.1"), source: "https://docs.ruby-lang.org/en/master/TCPServer.html"),
    Runtime(
      "puma", executables: ["puma"], reuseaddr: true, v6only: .host,
      settings: Settings(address: "bind \"tcp://ADDRESS:PORT\""), evidence: .watched("puma 5.6"),
      source: "https://github.com/puma/puma/blob/master/lib/puma/binder.rb"),
    Runtime(
      "php", executables: ["php"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "the stream context option socket.so_reuseport",
        v6only: "the stream context option socket.ipv6_v6only", address: "php -S ADDRESS:PORT"),
      evidence: .watched("php -S and stream_socket_server of PHP 8.2"),
      source: "https://www.php.net/context.socket.php"),
  ]

  private static let swift: [Runtime] = [
    Runtime(
      "swiftnio", aliases: ["nio"], reuseaddr: false, v6only: .cleared,
      settings: Settings(
        reuseaddr: ".serverChannelOption(.socketOption(.so_reuseaddr), value: 1)",
        reuseport: ".serverChannelOption(.socketOption(.so_reuseport), value: 1)"),
      evidence: .read("ServerBootstrap and BaseSocket of SwiftNIO 2.101"),
      source: "https://github.com/apple/swift-nio/blob/main/Sources/NIOPosix/Bootstrap.swift"),
    Runtime(
      "hummingbird", reuseaddr: true, v6only: .cleared,
      settings: Settings(
        reuseaddr: "ApplicationConfiguration(reuseAddress: true)",
        address: "ApplicationConfiguration(address: .hostname(…, port: …))"),
      evidence: .read("ServerConfiguration of Hummingbird 2"),
      source:
        "https://github.com/hummingbird-project/hummingbird/blob/main/Sources/Hummingbird/Configuration.swift"),
    Runtime(
      "vapor", reuseaddr: true, v6only: .cleared,
      settings: Settings(
        reuseaddr: "app.http.server.configuration.reuseAddress = true",
        address: "app.http.server.configuration.hostname"),
      evidence: .read("HTTPServer.Configuration of Vapor 4"),
      source: "https://github.com/vapor/vapor/blob/main/Sources/Vapor/HTTP/Server/HTTPServer.swift"),
  ]

  private static let webServers: [Runtime] = [
    Runtime(
      "nginx", executables: ["nginx"], reuseaddr: true, v6only: .set,
      settings: Settings(
        reuseport: "listen PORT reuseport;", v6only: "listen [::]:PORT ipv6only=off;",
        address: "listen ADDRESS:PORT;"),
      evidence: .watched("nginx 1.22"), source: "https://nginx.org/en/docs/http/ngx_http_core_module.html#listen"),
    Runtime(
      "apache", aliases: ["httpd", "apache2"], executables: ["apache2", "httpd"], reuseaddr: true, v6only: .cleared,
      settings: Settings(
        reuseport: "ListenCoresBucketsRatio", v6only: "Listen 0.0.0.0:PORT (IPv4 alone)",
        address: "Listen ADDRESS:PORT"),
      evidence: .watched("Apache httpd 2.4"), source: "https://httpd.apache.org/docs/2.4/bind.html"),
    Runtime(
      "haproxy", executables: ["haproxy"], reuseaddr: true, reuseport: true, v6only: .host,
      settings: Settings(
        reuseport: "noreuseport in the global section (or haproxy -dR)", v6only: "bind :::PORT v6only",
        address: "bind ADDRESS:PORT"),
      evidence: .watched("HAProxy 2.6"), source: "https://docs.haproxy.org/2.6/configuration.html#5.1"),
    Runtime(
      "envoy", executables: ["envoy"], reuseaddr: true, reuseport: true, v6only: .set,
      settings: Settings(
        reuseport: "enable_reuse_port: false in the listener", v6only: "ipv4_compat: true in the address"),
      evidence: .read("listener.proto v3 and listen_socket_impl.cc of Envoy"),
      source: "https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto"),
    Runtime(
      "lighttpd", executables: ["lighttpd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "server.bind and server.port"), evidence: .watched("lighttpd 1.4.69"),
      source: "https://redmine.lighttpd.net/projects/lighttpd/wiki/Server_bindDetails"),
    Runtime(
      "varnish", aliases: ["varnishd"], executables: ["varnishd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "varnishd -a ADDRESS:PORT"), evidence: .watched("Varnish 7.1"),
      source: "https://varnish-cache.org/docs/7.1/reference/varnishd.html"),
    Runtime(
      "squid", executables: ["squid"], reuseaddr: true, v6only: .cleared,
      settings: Settings(address: "http_port ADDRESS:PORT"), evidence: .watched("Squid 5.7"),
      source: "http://www.squid-cache.org/Doc/config/http_port/"),
  ]

  private static let databases: [Runtime] = [
    Runtime(
      "postgres", aliases: ["postgresql"], executables: ["postgres"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "listen_addresses and port in postgresql.conf"),
      evidence: .watched("PostgreSQL 15"),
      source: "https://www.postgresql.org/docs/current/runtime-config-connection.html"),
    // On Debian redis-server is a link to redis-check-rdb.
    Runtime(
      "redis", aliases: ["redis-server"], executables: ["redis-server", "redis-check-rdb"], reuseaddr: true,
      v6only: .set,
      settings: Settings(address: "bind and port in redis.conf"), evidence: .watched("Redis 7.0"),
      source: "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/"),
    Runtime(
      "mariadb", aliases: ["mariadbd"], executables: ["mariadbd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "bind_address and port"), evidence: .watched("MariaDB 10.11"),
      source: "https://mariadb.com/kb/en/server-system-variables/#bind_address"),
    Runtime(
      "memcached", executables: ["memcached"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "memcached -l ADDRESS -p PORT"), evidence: .watched("memcached 1.6.18"),
      source: "https://docs.memcached.org/"),
    Runtime(
      "mosquitto", aliases: ["mqtt"], executables: ["mosquitto"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "listener PORT ADDRESS"), evidence: .watched("mosquitto 2.0.11"),
      source: "https://mosquitto.org/man/mosquitto-conf-5.html"),
  ]

  private static let nameServers: [Runtime] = [
    Runtime(
      "dnsmasq", executables: ["dnsmasq"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "bind-interfaces with listen-address=ADDRESS"), evidence: .watched("dnsmasq 2.90"),
      source: "https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html"),
    Runtime(
      "unbound", executables: ["unbound"], reuseaddr: true, reuseport: true, v6only: .set,
      settings: Settings(reuseport: "so-reuseport: no", address: "interface: ADDRESS"),
      evidence: .watched("unbound 1.17"),
      source: "https://unbound.docs.nlnetlabs.nl/en/latest/manpages/unbound.conf.html"),
    Runtime(
      "named", aliases: ["bind", "bind9"], executables: ["named"], reuseaddr: true, reuseport: true, v6only: .set,
      settings: Settings(reuseport: "reuseport no;", address: "listen-on { ADDRESS; };"),
      evidence: .watched("BIND 9.18"),
      source: "https://bind9.readthedocs.io/en/v9.18/reference.html#namedconf-statement-reuseport"),
  ]

  private static let system: [Runtime] = [
    Runtime(
      "sshd", aliases: ["openssh", "ssh"], executables: ["sshd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "ListenAddress and Port in sshd_config"), evidence: .watched("OpenSSH 9.2"),
      source: "https://man.openbsd.org/sshd_config"),
    Runtime(
      "systemd", aliases: ["systemd.socket"], executables: ["systemd"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "ReusePort=yes in the .socket unit", v6only: "BindIPv6Only=ipv6-only in the .socket unit",
        address: "ListenStream= in the .socket unit"),
      evidence: .read("socket_address_listen of systemd"),
      source: "https://www.freedesktop.org/software/systemd/man/latest/systemd.socket.html"),
  ]
}
