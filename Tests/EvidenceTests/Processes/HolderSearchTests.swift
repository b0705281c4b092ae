import Linux
import SocketModel
import Testing

@testable import Evidence

/// Someone else's word for who holds sockets, on a host with more open files than the reader thinks many.
@Suite struct HolderSearchTests {
  /// What the reader says of a socket of a helper process, how often it asked, and what a walk says.
  private func examined(
    manyFiles: Int = 1, _ search: (DescriptorHolder) -> [DescriptorHolder]?
  ) throws -> (searched: [ProcessRecord], walked: [ProcessRecord], asked: Int) {
    try withHelper("my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s); open(our $more, '>&', $s);") { helper in
      let socket = try helper.socket("s")
      var reader = ProcessReader()
      reader.manyFiles = manyFiles
      var (searched, walked, asked) = ([observation(inode: socket.inode)], [observation(inode: socket.inode)], 0)
      _ = reader.examine(
        &searched,
        search: { inodes in
          asked += 1
          #expect(inodes == [socket.inode])
          return search(DescriptorHolder(pid: helper.pid, descriptor: socket.descriptor, inode: socket.inode))
        })
      _ = ProcessReader().examine(&walked)
      #expect(searched[0].reuseaddr == walked[0].reuseaddr)
      return (searched[0].processes, walked[0].processes, asked)
    }
  }

  @Test("what /proc confirms counts, as found")
  func confirmed() throws {
    let both = try examined { [$0, DescriptorHolder(pid: $0.pid, descriptor: $0.descriptor + 1, inode: $0.inode)] }
    #expect(both.asked == 1 && both.searched == both.walked && both.walked.count == 1)
    // The reader does not look for more than it was told, which shows that it did not walk.
    let one = try examined { [$0] }
    #expect(one.searched.first?.descriptors.count == 1 && one.walked.first?.descriptors.count == 2)
  }

  enum Untruth: CaseIterable {
    case anotherSocket, anotherDescriptor, noSuchDescriptor

    func told(of holder: DescriptorHolder) -> DescriptorHolder {
      var told = holder
      switch self {
      case .anotherSocket: told.inode += 1
      case .anotherDescriptor: told.descriptor = 0
      case .noSuchDescriptor: told.descriptor = 900
      }
      return told
    }
  }

  @Test("a holder that /proc does not confirm has everything walked", arguments: Untruth.allCases)
  func contradicted(_ untruth: Untruth) throws {
    let answer = try examined { [$0, untruth.told(of: $0)] }
    #expect(answer.asked == 1 && answer.searched == answer.walked && answer.walked.count == 1)
  }

  @Test("a holder that has ended since is passed over")
  func ended() throws {
    let answer = try examined {
      // The highest PID_MAX_LIMIT, which no process gets.
      [$0, DescriptorHolder(pid: 4_194_304, descriptor: 3, inode: $0.inode)]
    }
    #expect(answer.searched.map(\.pid) == answer.walked.map(\.pid) && answer.searched.first?.descriptors.count == 1)
  }

  @Test("where the search cannot tell, or finds nobody, everything is walked", arguments: [true, false])
  func unable(_ findsNobody: Bool) throws {
    let answer = try examined { _ in findsNobody ? [] : nil }
    #expect(answer.asked == 1 && answer.searched == answer.walked && answer.walked.count == 1)
  }

  @Test("a host with few open files is walked at once")
  func few() throws {
    let answer = try examined(manyFiles: .max) { [$0] }
    #expect(answer.asked == 0 && answer.searched == answer.walked && answer.walked.count == 1)
  }
}
