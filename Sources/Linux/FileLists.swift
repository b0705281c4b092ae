import Glibc
package import SocketModel

/// The names of the regular files in a directory, sorted, hidden ones left out; nil where it is none or cannot be read.
package func namesOfFiles(inDirectory path: String) -> [String]? {
  guard let directory = try? Descriptor(directory: path), let names = try? DirectoryBuffer().names(in: directory)
  else {
    return nil
  }
  return names.filter { name in
    // A FIFO that nobody writes to would never be opened.
    !name.hasPrefix(".") && ((try? directory.status(of: name))?.isRegular ?? false)
  }.sorted()
}

extension SystemError {
  /// strerror(3).
  package var message: String { String(cString: strerror(rawValue)) }
}
