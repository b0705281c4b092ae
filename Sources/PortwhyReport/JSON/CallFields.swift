internal import Answers
internal import SocketModel

// The member `call`: what a program did, and what became of it.

extension ReportedCall: JSONObject {
  static var blank: Self {
    Self(function: .bind, errno: .addressInUse, endpoint: .blank, pid: 0, tid: 0, command: "", descriptor: 0)
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("function", &function)
    try form.field("errno", &errno)
    try form.field("address", &endpoint.address)
    try form.field("port", &endpoint.port)
    try form.field("pid", &pid)
    try form.field("tid", &tid)
    try form.field("command", &command)
    try form.field("descriptor", &descriptor)
    try form.field("tries", &tries)
    try form.expect("tries", tries > 0, "expected a whole number from 1 up")
    try form.field("then", &then)
    try form.field("stopped_us", &stoppedMicroseconds)
  }
}

extension ReportedCall.Sequel: JSONObject {
  static var blank: Self { Self(endpoint: .blank, isSame: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("address", &endpoint.address)
    try form.field("port", &endpoint.port)
    try form.field("same", &isSame)
  }
}

extension SocketCall: JSONWord {}

extension SystemError: JSONWord {
  /// A name, or `errno N` for a number without one.
  init?(word: String) {
    guard word.hasPrefix("errno ") else {
      self.init(name: word)
      return
    }
    guard let number = Int32(word.dropFirst(6)) else { return nil }
    self.init(rawValue: number)
  }
  var word: String { description }
}
