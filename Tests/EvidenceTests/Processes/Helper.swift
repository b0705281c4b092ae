import CProcessTestSupport
import Glibc
import Testing

/// A Perl program (perl-base is essential in Debian) that makes sockets in a process of its own.
struct Helper {
  var pid: Int32
  /// The words of each line it printed before `ready`.
  var lines: [[String]]

  /// The line that starts with `name`, without it, as numbers.
  func numbers(_ name: String) throws -> [UInt64] {
    let line = try #require(lines.first { $0.first == name }, "the helper printed no line \(name)")
    return line.dropFirst().compactMap { UInt64($0) }
  }

  /// Inode, descriptor and port of the socket that the program showed by this name.
  func socket(_ name: String) throws -> (inode: UInt64, descriptor: Int32, port: UInt16) {
    let numbers = try numbers(name)
    try #require(numbers.count == 3)
    return (numbers[0], Int32(numbers[1]), UInt16(numbers[2]))
  }
}

/// Makes sockets with `make(family, type, options, port)` and prints them with `show(name, socket)`.
private let prelude = #"""
  use Socket qw(:all); $| = 1; $^F = 255;
  sub make {
    my ($family, $type, $options, $port) = @_;
    socket(my $s, $family, $type, 0) or die "socket: $!";
    for (@$options) { setsockopt($s, $_->[0], $_->[1], $_->[2]) or die "setsockopt @$_: $!" }
    return $s unless defined $port;
    my $name = $family == AF_INET6 ? pack_sockaddr_in6($port, IN6ADDR_ANY)
      : pack_sockaddr_in($port, INADDR_LOOPBACK);
    bind($s, $name) or die "bind: $!";
    return $s;
  }
  sub show {
    my ($name, $s) = @_;
    my $port = unpack("n", substr(getsockname($s), 2, 2));
    print join(" ", $name, (stat $s)[1], fileno $s, $port), "\n";
  }
  my ($RA, $RP) = ([SOL_SOCKET, SO_REUSEADDR, 1], [SOL_SOCKET, SO_REUSEPORT, 1]);
  my ($ONLY, $DUAL) = ([IPPROTO_IPV6, IPV6_V6ONLY, 1], [IPPROTO_IPV6, IPV6_V6ONLY, 0]);

  """#

let asNobody = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
let inNewNetwork = ["/usr/bin/unshare", "-n"]

/// Runs `script` until it has printed `ready`, then `body`; the helper ends when its standard input closes.
func withHelper<Result>(
  _ script: String, through wrapper: [String] = [], _ body: (Helper) throws -> Result
) throws -> Result {
  let input = try pipe()
  let output = try pipe()
  let arguments = wrapper + ["/usr/bin/perl", "-e", prelude + script + "\nprint \"ready\\n\"; <STDIN>;"]
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, input.read, 0)
  posix_spawn_file_actions_adddup2(&actions, output.write, 1)
  var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
  words.append(nil)
  defer { for word in words { free(word) } }
  var pid: pid_t = 0
  let error = posix_spawn(&pid, arguments[0], &actions, nil, words, environ)
  close(input.read)
  close(output.write)
  defer {
    close(input.write)
    close(output.read)
    var status: Int32 = 0
    if error == 0 { waitpid(pid, &status, 0) }
  }
  try #require(error == 0, "\(arguments[0]): \(String(cString: strerror(error)))")
  var text: [UInt8] = []
  var byte: UInt8 = 0
  while !text.ends(with: "ready\n".utf8), read(output.read, &byte, 1) == 1 { text.append(byte) }
  let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map {
    $0.split(separator: " ").map(String.init)
  }
  try #require(lines.last == ["ready"], "the helper ended early")
  return try body(Helper(pid: pid, lines: lines))
}

private func pipe() throws -> (read: Int32, write: Int32) {
  var ends: [Int32] = [0, 0]
  try #require(test_pipe(&ends) == 0)
  return (ends[0], ends[1])
}

extension Array where Element == UInt8 {
  fileprivate func ends(with end: String.UTF8View) -> Bool { suffix(end.count).elementsEqual(end) }
}
