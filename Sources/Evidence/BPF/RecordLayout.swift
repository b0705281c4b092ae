// What a program writes of a socket, after it has put it together on its stack:
//
//   0   u32 uid          4   u32 pid          8   u32 descriptor     12  u32 protocol (IPPROTO_*)
//   16  u64 address of the socket            24  u64 address of the next socket of its port in the chain
//   32  u64 inode        40  u32 network namespace                   44  u32 chain   48  u32 bucket   52  u32 substate
//   56  the start of struct sock_common, then the start of struct inet_bind_bucket
//
// The structures are copied as they are and taken apart in SocketRecord, so a program is the same few instructions on
// every kernel. The kernel addresses in them put sockets in order; no value that leaves this module has one.

/// The places of a record's parts, from its start.
struct RecordLayout: Sendable, Hashable {
  static let uid = 0
  static let pid = 4
  static let descriptor = 8
  static let transport = 12
  static let address = 16
  static let next = 24
  static let inode = 32
  static let namespace = 40
  /// 1 where `next` is known, 0 inside of it being the end of the chain.
  static let chain = 44
  /// A `BucketState`.
  static let bucketState = 48
  static let substate = 52
  static let common = 56

  /// Where the copy of the bucket starts.
  let bucket: Int
  let byteCount: Int

  init(_ layout: KernelLayout) {
    bucket = Self.common + layout.common.byteCount
    byteCount = bucket + (layout.bucket?.byteCount ?? 0)
  }
}

/// What became of reading the bucket: the numbers a program writes.
enum BucketState: UInt32, Sendable, Hashable {
  case notLookedAt = 0
  /// The socket hangs on no bucket: it holds no port.
  case none = 1
  /// It hangs on one, which could not be read.
  case unreadable = 2
  case read = 3
}

/// The numbers of sockets that the programs compare and records hold.
enum KernelNumber {
  static let (inet, inet6): (Int32, Int32) = (2, 10)  // AF_INET, AF_INET6
  static let (tcp, udp, mptcp): (Int32, Int32, Int32) = (6, 17, 262)  // IPPROTO_*
  static let (timeWait, newSynReceived): (Int32, Int32) = (6, 12)  // TCP_TIME_WAIT, TCP_NEW_SYN_RECV
  static let (fileType, socketFile): (Int32, Int32) = (0o170000, 0o140000)  // S_IFMT, S_IFSOCK
}
