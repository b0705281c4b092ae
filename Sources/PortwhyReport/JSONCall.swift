internal import PortwhyKit
internal import SocketModel

extension JSONWriter {
  /// The member `call` of a report.
  mutating func call(_ call: ReportedCall?) {
    object("call", call) { writer, call in
      writer.member("function", call.function.rawValue)
      writer.member("errno", call.errno.description)
      writer.member("address", call.endpoint.address.description)
      writer.member("port", call.endpoint.port.rawValue)
      writer.member("pid", call.pid)
      writer.member("tid", call.tid)
      writer.member("command", call.command)
      writer.member("descriptor", call.descriptor)
      writer.member("tries", call.tries)
      writer.object("then", call.then) { writer, then in
        writer.member("address", then.endpoint.address.description)
        writer.member("port", then.endpoint.port.rawValue)
        writer.member("same", then.isSame)
      }
      writer.member("stopped_us", call.stoppedMicroseconds)
    }
  }
}
