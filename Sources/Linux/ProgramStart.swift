import Glibc

/// The words and the environment that execve(2) gave this program, every byte of them: for a program that this one runs.
package struct ProgramStart: @unchecked Sendable {
  /// Each list ends with a null pointer and is never changed.
  package let words: UnsafePointer<UnsafePointer<CChar>?>?
  package let environment: UnsafePointer<UnsafeMutablePointer<CChar>?>?

  /// Both have to stay as long as the program runs.
  package init(
    words: UnsafePointer<UnsafePointer<CChar>?>?, environment: UnsafePointer<UnsafeMutablePointer<CChar>?>?
  ) {
    self.words = words
    self.environment = environment
  }
}
