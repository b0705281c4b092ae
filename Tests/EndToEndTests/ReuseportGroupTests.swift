import BindRules
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// Nine processes that hold 32,768 sockets with SO_REUSEPORT on one address among them, as many as one group takes.
private let fullGroup = #"""
  my ($type, $left) = ($ARGV[0] eq 'udp' ? SOCK_DGRAM : SOCK_STREAM, 32768);
  while ($left > 0) {
    my $share = $left < 4000 ? $left : 4000;
    $left -= $share;
    pipe(my $done, my $tell);
    if (fork == 0) {
      my @held = map { bound($port, AF_INET, [SO_REUSEPORT], $type) } 1 .. $share;
      if ($type == SOCK_STREAM) { listen($_, 16) or die for @held }
      print $tell "held\n";
      close $tell;
      <STDIN>;
      exit;
    }
    close $tell;
    <$done> eq "held\n" or die;
  }
  """#

@Suite("A group of SO_REUSEPORT", .enabled(if: endToEndTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ReuseportGroupTests {
  /// On the screen, as the report of so many sockets takes the test longer to read than the program to write.
  @Test("that is full lets nobody in, which is no sure answer", arguments: [TransportProtocol.tcp, .udp])
  func full(_ transport: TransportProtocol) throws {
    let any = ip("0.0.0.0")
    let (screen, full, others) = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let copy = try namespace.build(Scenario([], Attempt(transport, any)))
      return try withServer(
        "@ARGV = ('\(transport)');" + fullGroup, port: copy.port.rawValue,
        through: ["/bin/sh", "-c", #"ulimit -n 4100 && exec "$0" "$@""#]
      ) { _ in
        (
          try portwhy(["--reuseport", "--no-bpf", "\(copy.port)/\(transport)"]),
          [reuseport, both].map { copy.tryBind(Attempt(transport, any), $0) },
          [reuseport, both].map { copy.tryBind(Attempt(transport, ip("::")), $0) }
        )
      }
    }
    for trial in full {
      #expect(trial.bind == (transport == .udp ? .fails(.addressInUse) : .ok))
      #expect(trial.listen == (transport == .udp ? nil : .fails(.outOfMemory)))
    }
    // An AF_INET6 socket comes into another group.
    #expect(others.allSatisfy { $0 == .works(transport) })
    #expect(screen.status == 2)
    #expect(
      screen.headline.contains("undetermined") && screen.headline.contains("whether the SO_REUSEPORT group is full"))
    #expect(screen.headline.contains("to [::] it works"), "\(screen.headline)")
    #expect(screen.output.contains("32768 sockets share the port by SO_REUSEPORT"))
  }
}
