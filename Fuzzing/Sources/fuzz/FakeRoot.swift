import Glibc

/// A directory that looks like /proc, with the files an input fills anew; scripts/fuzz says where, and removes it.
struct FakeRoot {
  let path: String

  /// Makes the directories, outer ones before inner ones.
  init(directories: [String]) {
    let place = getenv("PORTWHY_FUZZ_DIRECTORY").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(place)/portwhy-fuzz-XXXXXX".utf8CString)
    require(mkdtemp(&template) != nil, "a directory in \(place) can be made")
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    for directory in directories { mkdir("\(path)/\(directory)", 0o755) }
  }

  func write(_ file: String, _ bytes: [UInt8]) {
    let descriptor = open("\(path)/\(file)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    require(descriptor >= 0, "a file in \(path) can be written")
    _ = Glibc.write(descriptor, bytes, bytes.count)
    close(descriptor)
  }

  /// A symbolic link, as far as its target is one that a file system takes.
  func link(_ file: String, to target: [UInt8]) {
    unlink("\(path)/\(file)")
    let text = target.prefix(4000).prefix { $0 != 0 }.map(CChar.init(bitPattern:)) + [0]
    _ = symlink(text, "\(path)/\(file)")
  }
}
