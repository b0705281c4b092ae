// The data file of runtimes and servers. It is Swift and not a resource, because a typed array is checked by the
// compiler, needs no parser, no file at run time and no Foundation (Bundle), and costs nothing until it is asked for.
//
// An entry is here only if its defaults were seen (`watched`: strace -e setsockopt,bind on Debian 12 and what else
// is named) or read in its source or manual (`read`). Settings that were not tried or read are nil, and so are addresses
// that distributions or the server's own configuration choose.

import SocketModel

extension Runtime {
  /// Every runtime and server that is known, languages first.
  package static let catalogue: [Runtime] =
    languages + frameworks + swift + webServers + databases + queues + nameServers + mail
    + system

  // MARK: Where a server binds

  private static let anyIPv4: [IPAddress] = [.v4(.any)]
  /// One socket of AF_INET6, for IPv4 too unless IPV6_V6ONLY is set.
  private static let anyIPv6: [IPAddress] = [.v6(.any)]
  private static let both: [IPAddress] = [.v4(.any), .v6(.any)]
  private static let loopback4: [IPAddress] = [.v4(.loopback)]
  private static let localhost: [IPAddress] = [.v4(.loopback), .v6(.loopback)]

  private static let languages: [Runtime] = [
    Runtime(
      "node", aliases: ["nodejs"], executables: ["node", "nodejs"], reuseaddr: true,
      v6only: .cleared, at: anyIPv6,
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
      "asyncio", reuseaddr: true, v6only: .set, at: both,
      settings: Settings(reuseport: "loop.create_server(…, reuse_port=True)", address: "loop.create_server(…, host)"),
      evidence: .watched("asyncio.start_server of Python 3.11"),
      source: "https://docs.python.org/3/library/asyncio-eventloop.html"),
    Runtime(
      "uvicorn", executables: ["uvicorn"], reuseaddr: true, v6only: .set, at: loopback4,
      settings: Settings(reuseport: "--fd with a socket of your own", address: "--host"),
      evidence: .watched("uvicorn 0.17 without --workers"), source: "https://www.uvicorn.org/settings/"),
    Runtime(
      "gunicorn", executables: ["gunicorn"], reuseaddr: true, v6only: .host, at: loopback4,
      settings: Settings(reuseport: "--reuse-port", address: "--bind"), evidence: .watched("gunicorn 20.1"),
      source: "https://docs.gunicorn.org/en/stable/settings.html#reuse-port"),
    Runtime(
      "java", aliases: ["jvm"], executables: ["java"], reuseaddr: true,
      v6only: .cleared, at: anyIPv6,
      settings: Settings(reuseport: "serverSocket.setOption(StandardSocketOptions.SO_REUSEPORT, true)"),
      evidence: .watched("ServerSocket, ServerSocketChannel and HttpServer of OpenJDK 17"),
      source: "https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/net/StandardSocketOptions.html"),
    Runtime(
      "dotnet", aliases: [".net", "kestrel"], executables: ["dotnet"], reuseaddr: true, v6only: .host,
      settings: Settings(
        reuseport: "socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true)"),
      evidence: .read("SystemNative_Bind of dotnet/runtime; dotnet/corefx pull request 24809"),
      source: "https://github.com/dotnet/corefx/pull/24809"),
    Runtime(
      "go", aliases: ["golang"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      udp: Defaults(v6only: .cleared, addresses: anyIPv6),
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
      "puma", executables: ["puma"], reuseaddr: true, v6only: .host, at: anyIPv4,
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

  private static let frameworks: [Runtime] = [
    Runtime(
      "flask", aliases: ["werkzeug"], reuseaddr: true, v6only: .host, at: loopback4,
      settings: Settings(address: "flask run --host ADDRESS --port PORT"), evidence: .watched("Flask 2.2"),
      source: "https://flask.palletsprojects.com/en/2.2.x/cli/"),
    Runtime(
      "django", aliases: ["runserver"], reuseaddr: true, v6only: .host, at: loopback4,
      settings: Settings(address: "manage.py runserver ADDRESS:PORT"), evidence: .watched("Django 3.2"),
      source: "https://docs.djangoproject.com/en/3.2/ref/django-admin/#runserver"),
    Runtime(
      "jupyter", aliases: ["tornado", "jupyterlab", "notebook"], reuseaddr: true, v6only: .set, at: localhost,
      settings: Settings(address: "jupyter lab --ip ADDRESS --port PORT"),
      evidence: .watched("bind_sockets of Tornado 6.2 with localhost, as Jupyter calls it"),
      source: "https://www.tornadoweb.org/en/stable/netutil.html"),
    // localhost is one of the two addresses, as the resolver orders them.
    Runtime(
      "vite", reuseaddr: true, v6only: .cleared, at: localhost,
      settings: Settings(address: "server.host, or vite --host"),
      evidence: .read("server.host of Vite 5, and node 20.20"), source: "https://vite.dev/config/server-options"),
    Runtime(
      "next", aliases: ["nextjs", "next.js", "express"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "next dev --hostname ADDRESS --port PORT"),
      evidence: .read("next-dev.ts and start-server.ts of Next.js 14, which give node no host, and node 20.20"),
      source: "https://github.com/vercel/next.js/blob/v14.2.0/packages/next/src/cli/next-dev.ts"),
    Runtime(
      "deno", executables: ["deno"], reuseaddr: true, v6only: .host, at: anyIPv4,
      settings: Settings(
        reuseport: "Deno.serve({ reusePort: true }, …)", address: "Deno.serve({ hostname, port }, …)"),
      evidence: .read("Deno.serve and its TcpListener of Rust"), source: "https://docs.deno.com/api/deno/~/Deno.serve"
    ),
    Runtime(
      "bun", executables: ["bun"], reuseaddr: true, v6only: .cleared,
      settings: Settings(
        reuseport: "Bun.serve({ reusePort: true, … })", v6only: "Bun.serve({ ipv6Only: true, … })",
        address: "Bun.serve({ hostname, port, … })"),
      // :: first, and 0.0.0.0 where that fails.
      evidence: .read("bsd_bind_listen_fd and bsd_create_listen_socket of Bun 1.2"),
      source: "https://github.com/oven-sh/bun/blob/main/packages/bun-usockets/src/bsd.c"),
    Runtime(
      "php-fpm", aliases: ["fpm"], executables: ["php-fpm"], reuseaddr: true, v6only: .host,
      settings: Settings(address: "listen = ADDRESS:PORT in the pool"), evidence: .watched("PHP-FPM 8.2"),
      source: "https://www.php.net/manual/en/install.fpm.configuration.php"),
    Runtime(
      "tomcat", aliases: ["jetty", "spring", "jenkins"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "address and port of the Connector"),
      evidence: .watched("Tomcat 10.1"),
      source: "https://tomcat.apache.org/tomcat-10.1-doc/config/http.html"),
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
      "hummingbird", reuseaddr: true, v6only: .cleared, at: loopback4,
      settings: Settings(
        reuseaddr: "ApplicationConfiguration(reuseAddress: true)",
        address: "ApplicationConfiguration(address: .hostname(…, port: …))"),
      evidence: .read("ServerConfiguration of Hummingbird 2"),
      source:
        "https://github.com/hummingbird-project/hummingbird/blob/main/Sources/Hummingbird/Configuration.swift"),
    Runtime(
      "vapor", reuseaddr: true, v6only: .cleared, at: loopback4,
      settings: Settings(
        reuseaddr: "app.http.server.configuration.reuseAddress = true",
        address: "app.http.server.configuration.hostname"),
      evidence: .read("HTTPServer.Configuration of Vapor 4"),
      source: "https://github.com/vapor/vapor/blob/main/Sources/Vapor/HTTP/Server/HTTPServer.swift"),
  ]

  private static let webServers: [Runtime] = [
    Runtime(
      "nginx", executables: ["nginx"], reuseaddr: true, v6only: .set, at: anyIPv4,
      settings: Settings(
        reuseport: "listen PORT reuseport;", v6only: "listen [::]:PORT ipv6only=on;",
        address: "listen ADDRESS:PORT;"),
      evidence: .watched("nginx 1.22"), source: "https://nginx.org/en/docs/http/ngx_http_core_module.html#listen"),
    Runtime(
      "apache", aliases: ["httpd", "apache2"], executables: ["apache2", "httpd"], reuseaddr: true, v6only: .cleared,
      at: anyIPv6,
      settings: Settings(
        reuseport: "ListenCoresBucketsRatio", address: "Listen ADDRESS:PORT"),
      evidence: .watched("Apache httpd 2.4"), source: "https://httpd.apache.org/docs/2.4/bind.html"),
    Runtime(
      "haproxy", executables: ["haproxy"], reuseaddr: true, reuseport: true, v6only: .host, at: anyIPv4,
      settings: Settings(
        reuseport: "no noreuseport in the global section, and no -dR", v6only: "bind :::PORT v6only",
        freebind: "bind ADDRESS:PORT transparent",
        address: "bind ADDRESS:PORT"),
      evidence: .watched("HAProxy 2.6"), source: "https://docs.haproxy.org/2.6/configuration.html#5.1"),
    Runtime(
      "envoy", executables: ["envoy"], reuseaddr: true, reuseport: true, v6only: .set,
      settings: Settings(
        reuseport: "enable_reuse_port: true in the listener", v6only: "ipv4_compat: false in the address",
        freebind: "freebind: true in the listener"),
      evidence: .read("listener.proto v3 and listen_socket_impl.cc of Envoy"),
      source: "https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto"),
    Runtime(
      "caddy", executables: ["caddy"], reuseaddr: true, reuseport: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "bind ADDRESS in the site"), evidence: .watched("Caddy 2.6"),
      source: "https://caddyserver.com/docs/caddyfile/directives/bind"),
    Runtime(
      "traefik", executables: ["traefik"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(
        reuseport: "entryPoints.NAME.reusePort: true", address: "entryPoints.NAME.address: ADDRESS:PORT"),
      evidence: .read("the manual of Traefik 3, EntryPoints, and net.Listen of Go"),
      source: "https://doc.traefik.io/traefik/routing/entrypoints/"),
    Runtime(
      "lighttpd", executables: ["lighttpd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "server.bind and server.port"), evidence: .watched("lighttpd 1.4.69"),
      source: "https://redmine.lighttpd.net/projects/lighttpd/wiki/Server_bindDetails"),
    Runtime(
      "varnish", aliases: ["varnishd"], executables: ["varnishd"], reuseaddr: true, v6only: .set,
      settings: Settings(address: "varnishd -a ADDRESS:PORT"), evidence: .watched("Varnish 7.1"),
      source: "https://varnish-cache.org/docs/7.1/reference/varnishd.html"),
    Runtime(
      "squid", executables: ["squid"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "http_port ADDRESS:PORT"), evidence: .watched("Squid 5.7"),
      source: "http://www.squid-cache.org/Doc/config/http_port/"),
  ]

  private static let databases: [Runtime] = [
    Runtime(
      "postgres", aliases: ["postgresql"], executables: ["postgres"], reuseaddr: true, v6only: .set, at: localhost,
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
      "mariadb", aliases: ["mariadbd"], executables: ["mariadbd"],
      tcp: Defaults(reuseaddr: true, v6only: .set, freebind: true),
      settings: Settings(address: "bind_address and port"), evidence: .watched("MariaDB 10.11"),
      source: "https://mariadb.com/kb/en/server-system-variables/#bind_address"),
    Runtime(
      "mysql", aliases: ["mysqld"], executables: ["mysqld"], reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "bind_address and port"),
      evidence: .read("socket_connection.cc of MySQL 8.0"),
      source: "https://github.com/mysql/mysql-server/blob/8.0/sql/conn_handler/socket_connection.cc"),
    Runtime(
      "mongod", aliases: ["mongodb", "mongo", "mongos"], executables: ["mongod", "mongos"], reuseaddr: true,
      v6only: .set, at: loopback4, settings: Settings(address: "net.bindIp and net.port"),
      evidence: .read("AsioTransportLayer::setup of MongoDB 8.0"),
      source: "https://github.com/mongodb/mongo/blob/v8.0/src/mongo/transport/asio/asio_transport_layer.cpp"),
    Runtime(
      "etcd", executables: ["etcd"], reuseaddr: true, v6only: .cleared, at: loopback4,
      settings: Settings(
        reuseport: "--socket-reuse-port=true", address: "--listen-client-urls and --listen-peer-urls"),
      evidence: .watched("etcd 3.4"), source: "https://etcd.io/docs/v3.4/op-guide/configuration/"),
    Runtime(
      "elasticsearch", aliases: ["elastic", "opensearch"], reuseaddr: true, v6only: .cleared, at: localhost,
      settings: Settings(address: "network.host and http.port"),
      evidence: .read("the manual of Elasticsearch 8, Networking, and ServerSocketChannel of OpenJDK 17"),
      source: "https://www.elastic.co/guide/en/elasticsearch/reference/8.15/modules-network.html"),
    Runtime(
      "memcached", executables: ["memcached"], reuseaddr: true, v6only: .set,
      udp: Defaults(reuseaddr: true, v6only: .set), settings: Settings(address: "memcached -l ADDRESS -p PORT"),
      evidence: .watched("memcached 1.6.18"),
      source: "https://docs.memcached.org/"),
  ]

  private static let queues: [Runtime] = [
    Runtime(
      "mosquitto", aliases: ["mqtt"], executables: ["mosquitto"], reuseaddr: true, v6only: .set, at: localhost,
      settings: Settings(address: "listener PORT ADDRESS"), evidence: .watched("mosquitto 2.0.11"),
      source: "https://mosquitto.org/man/mosquitto-conf-5.html"),
    Runtime(
      "rabbitmq", aliases: ["rabbit"], reuseaddr: true, v6only: .host, at: anyIPv6,
      settings: Settings(address: "listeners.tcp.1 = ADDRESS:PORT"),
      evidence: .watched("gen_tcp:listen of Erlang 25 with reuseaddr, as RabbitMQ calls it"),
      source: "https://www.rabbitmq.com/docs/networking"),
    Runtime(
      "kafka", reuseaddr: true, v6only: .cleared, at: anyIPv6,
      settings: Settings(address: "listeners=PLAINTEXT://ADDRESS:PORT"),
      evidence: .read("openServerSocket of kafka.network.SocketServer, and ServerSocketChannel of OpenJDK 17"),
      source: "https://github.com/apache/kafka/blob/trunk/core/src/main/scala/kafka/network/SocketServer.scala"),
    Runtime(
      "epmd", aliases: ["erlang"], executables: ["epmd"], reuseaddr: true, v6only: .set, at: both,
      settings: Settings(address: "epmd -address ADDRESS, or ERL_EPMD_ADDRESS"),
      remark: "one epmd serves all Erlang nodes of a host, so a second one is not needed: epmd -names lists them",
      evidence: .watched("epmd of Erlang 25"), source: "https://www.erlang.org/docs/25/man/epmd.html"),
  ]

  private static let nameServers: [Runtime] = [
    Runtime(
      "dnsmasq", executables: ["dnsmasq"], reuseaddr: true, v6only: .set, at: both,
      udp: Defaults(reuseaddr: true, v6only: .set, addresses: both),
      settings: Settings(address: "bind-interfaces with listen-address=ADDRESS"), evidence: .watched("dnsmasq 2.90"),
      source: "https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html"),
    Runtime(
      "unbound", executables: ["unbound"], reuseaddr: true, reuseport: true, v6only: .set, at: localhost,
      udp: Defaults(reuseaddr: true, reuseport: true, v6only: .set, addresses: localhost),
      settings: Settings(reuseport: "so-reuseport: yes", freebind: "ip-freebind: yes", address: "interface: ADDRESS"),
      evidence: .watched("unbound 1.17"),
      source: "https://unbound.docs.nlnetlabs.nl/en/latest/manpages/unbound.conf.html"),
    Runtime(
      "named", aliases: ["bind", "bind9"], executables: ["named"], reuseaddr: true, reuseport: true, v6only: .set,
      udp: Defaults(reuseaddr: true, reuseport: true, v6only: .set),
      settings: Settings(reuseport: "reuseport yes;", address: "listen-on { ADDRESS; };"),
      evidence: .watched("BIND 9.18"),
      source: "https://bind9.readthedocs.io/en/v9.18/reference.html#namedconf-statement-reuseport"),
    Runtime(
      "avahi", aliases: ["avahi-daemon", "mdns"], executables: ["avahi-daemon"],
      udp: Defaults(reuseaddr: true, reuseport: true, v6only: .set, addresses: both),
      settings: Settings(
        reuseaddr: "disallow-other-stacks=no (avahi-daemon.conf)",
        reuseport: "disallow-other-stacks=no (avahi-daemon.conf)"),
      evidence: .watched("avahi 0.8"), source: "https://linux.die.net/man/5/avahi-daemon.conf"),
  ]

  private static let mail: [Runtime] = [
    Runtime(
      "dovecot", executables: ["dovecot"], reuseaddr: true, v6only: .set, at: both,
      settings: Settings(address: "listen, and inet_listener of a service"), evidence: .watched("Dovecot 2.3.19"),
      source: "https://doc.dovecot.org/2.3/configuration_manual/service_configuration/"),
    Runtime(
      "postfix", aliases: ["smtpd"], reuseaddr: true, reuseport: true, v6only: .set, at: both,
      settings: Settings(address: "inet_interfaces, and ADDRESS:PORT in master.cf"),
      evidence: .watched("master of Postfix 3.7"),
      source: "https://www.postfix.org/postconf.5.html#inet_interfaces"),
  ]

  private static let system: [Runtime] = [
    Runtime(
      "socat", executables: ["socat"], reuseaddr: false, v6only: .host, at: anyIPv4,
      settings: Settings(
        reuseaddr: "TCP-LISTEN:PORT,reuseaddr", reuseport: "TCP-LISTEN:PORT,reuseport",
        v6only: "TCP6-LISTEN:PORT,ipv6only=1", freebind: "TCP-LISTEN:PORT,bind=ADDRESS,freebind",
        address: "TCP-LISTEN:PORT,bind=ADDRESS"),
      evidence: .watched("socat 1.7.4"), source: "http://www.dest-unreach.org/socat/doc/socat.html"),
    Runtime(
      "sshd", aliases: ["openssh", "ssh"], executables: ["sshd"], reuseaddr: true, v6only: .set, at: both,
      settings: Settings(address: "ListenAddress and Port in sshd_config"), evidence: .watched("OpenSSH 9.2"),
      source: "https://man.openbsd.org/sshd_config"),
    Runtime(
      "systemd", aliases: ["systemd.socket"], executables: ["systemd"], reuseaddr: true, v6only: .host, at: anyIPv6,
      udp: Defaults(reuseaddr: true, v6only: .host, addresses: anyIPv6),
      settings: Settings(
        reuseport: "ReusePort=yes in the .socket unit", v6only: "BindIPv6Only=ipv6-only in the .socket unit",
        freebind: "FreeBind=yes in the .socket unit", address: "ListenStream= in the .socket unit"),
      evidence: .read("socket_address_listen of systemd"),
      source: "https://www.freedesktop.org/software/systemd/man/latest/systemd.socket.html"),
    Runtime(
      "docker", aliases: ["docker-proxy", "podman"], executables: ["docker-proxy"], reuseaddr: true, v6only: .set,
      at: both, udp: Defaults(v6only: .set, addresses: both),
      settings: Settings(address: "docker run --publish ADDRESS:PORT:CONTAINERPORT"),
      evidence: .watched("docker-proxy of Docker 20.10"),
      source: "https://docs.docker.com/engine/network/port-publishing/"),
    Runtime(
      "cups", aliases: ["cupsd"], executables: ["cupsd"], reuseaddr: true, v6only: .set, at: localhost,
      settings: Settings(address: "Listen ADDRESS:PORT in cupsd.conf"), evidence: .watched("CUPS 2.4"),
      source: "https://www.cups.org/doc/man-cupsd.conf.html"),
    Runtime(
      "chrony", aliases: ["chronyd", "ntp"], executables: ["chronyd"],
      udp: Defaults(reuseaddr: true, reuseport: true, v6only: .set, freebind: true, addresses: both),
      settings: Settings(address: "bindaddress ADDRESS and port PORT in chrony.conf"),
      evidence: .watched("chrony 4.3, with allow"), source: "https://chrony-project.org/doc/4.3/chrony.conf.html"),
    Runtime(
      "snmpd", aliases: ["snmp", "net-snmp"], executables: ["snmpd"], udp: Defaults(),
      settings: Settings(address: "agentaddress udp:ADDRESS:PORT in snmpd.conf"), evidence: .watched("Net-SNMP 5.9"),
      source: "https://man7.org/linux/man-pages/man5/snmpd.conf.5.html"),
    Runtime(
      "slapd", aliases: ["openldap", "ldap"], executables: ["slapd"], reuseaddr: true, v6only: .set, at: both,
      settings: Settings(address: "slapd -h ldap://ADDRESS:PORT"), evidence: .watched("OpenLDAP 2.5"),
      source: "https://www.openldap.org/software/man.cgi?query=slapd"),
  ]
}
