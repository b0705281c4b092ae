import Linux
import SocketModel

/// A fresh TCP socket that is closed when its owner lets go of it; each error is sorted into what the planned program
/// would meet too and what it need not meet.
struct ProbeSocket: ~Copyable {
  private let socket: Descriptor

  /// socket(2). A family the host lacks is an answer.
  init(_ family: AddressFamily) throws(Setback) {
    do throws(SystemError) { socket = try Descriptor(newSocketOf: family, .tcp) } catch {
      throw error == .addressFamilyNotSupported ? .answer(error) : .obstacle("socket() fails with \(error)")
    }
  }

  /// Gives the socket its owner; needs CAP_CHOWN for another.
  borrowing func give(to uid: UInt32) throws(Setback) {
    do throws(SystemError) { try socket.give(to: uid) } catch {
      throw .obstacle("no socket of uid \(uid) can be made (\(error)): root can")
    }
  }

  /// setsockopt(2).
  borrowing func set(_ option: SocketOption<Int32>, _ on: Bool) throws(Setback) {
    do throws(SystemError) { try socket.set(option, on) } catch {
      throw .obstacle("setsockopt() fails with \(error)")
    }
  }

  /// setsockopt(2) SO_BINDTODEVICE, unless a program of the control group has given it this device, which only
  /// CAP_NET_RAW could set once more.
  borrowing func bind(toDevice name: String) throws(Setback) {
    if let index = try? interfaceIndex(named: name), let given = try? socket.option(.boundInterface),
      given == Int32(bitPattern: index.rawValue)
    {
      return
    }
    do throws(SystemError) { try socket.bind(toDevice: name) } catch {
      throw error == .noDevice ? .answer(error) : .obstacle("SO_BINDTODEVICE fails with \(error)")
    }
  }

  /// bind(2).
  borrowing func bind(to address: IPAddress, scope: InterfaceIndex?, port: Port) throws(Setback) {
    do throws(SystemError) { try socket.bind(to: address, scope: scope, port: port) } catch { throw .answer(error) }
  }
}
