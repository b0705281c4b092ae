import Glibc

/// A Perl program (perl-base is essential in Debian) that holds sockets in a process of its own.
struct Server {
  var pid: Int32
  /// The words it printed before `ready`.
  var words: [String]
  /// Its standard streams, the test's ends.
  var input: Int32
  var output: Int32
}

/// `listener(port, family, [option, …])` and `bound(…)` in the words of Perl, and `settled()`: no TCP socket of the port is
/// between two states (SYN_SENT, SYN_RECV, FIN_WAIT1, LAST_ACK, CLOSING), where the kernel of a busy host may leave it for a
/// moment after close(2).
private let prelude = #"""
  use Socket qw(:all); $| = 1; $^F = 255;
  sub bound {
    my ($port, $family, $options, $type, $protocol) = @_;
    socket(my $s, $family // AF_INET, $type // SOCK_STREAM, $protocol // 0) or die "socket: $!";
    setsockopt($s, SOL_SOCKET, $_, 1) or die "setsockopt: $!" for @{$options // []};
    bind($s, ($family // AF_INET) == AF_INET6 ? pack_sockaddr_in6($port, IN6ADDR_ANY)
      : pack_sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
    return $s;
  }
  sub listener { my $s = bound(@_); listen($s, 16) or die "listen: $!"; return $s }
  my $port = shift;
  sub settled {
    my $moves = sprintf '^ *\d+: (?:[0-9A-F]+:%04X \S+|\S+ [0-9A-F]+:%04X) (?:02|03|04|09|0B) ', $port, $port;
    for (1 .. 2000) {
      my @lines = map { open(my $f, '<', "/proc/self/net/$_") ? <$f> : () } 'tcp', 'tcp6';
      return unless grep /$moves/, @lines;
      select undef, undef, undef, 0.01;
    }
  }

  """#

/// Runs `script` with the port in `$port` from the calling thread's namespace until it has printed `ready`, then
/// `body`; the server and all it forked end when the pipe that is its standard input closes.
func withServer<Result>(
  _ script: String, port: UInt16, through: [String] = [], _ body: (Server) throws -> Result
) throws -> Result {
  let program = prelude + script + "\nsettled(); print \"ready\\n\"; <STDIN>;"
  return try withServer(words: through + ["/usr/bin/perl", "-e", program, "\(port)"], body)
}

/// The same with another program that prints `ready` and ends with its standard input.
func withServer<Result>(words: [String], _ body: (Server) throws -> Result) throws -> Result {
  let input = try makePipe()
  let output = try makePipe()
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, input.read, 0)
  posix_spawn_file_actions_adddup2(&actions, output.write, 1)
  var pid: pid_t = 0
  let error = withWords(words) { arguments in
    withWords(["PATH=/usr/bin:/bin"]) { posix_spawn(&pid, words[0], &actions, nil, arguments, $0) }
  }
  close(input.read)
  close(output.write)
  defer {
    close(input.write)
    // The end of the output is the end of the last process that holds the sockets.
    var rest = [UInt8](repeating: 0, count: 256)
    while read(output.read, &rest, rest.count) > 0 {}
    close(output.read)
    var status: Int32 = 0
    if error == 0 { waitpid(pid, &status, 0) }
  }
  if error != 0 { throw StartError(what: "\(words[0]): \(String(cString: strerror(error)))") }
  var text: [UInt8] = []
  var byte: UInt8 = 0
  while !text.suffix(6).elementsEqual("ready\n".utf8), read(output.read, &byte, 1) == 1 { text.append(byte) }
  let said = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
  guard said.last == "ready" else { throw StartError(what: "the server ended early: \(said)") }
  return try body(Server(pid: pid, words: said.dropLast(), input: input.write, output: output.read))
}
