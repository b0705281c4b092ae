import BindRules
import SocketModel

/// Moves a drawn scenario into a place where fresh sockets or programs have something else than usual, or gives it a
/// sysctl that the kernel stores otherwise than it is written. Drawn after all the rest, which stays what its seed and
/// number always meant.
enum PlaceMix {
  /// In hundredths.
  static let oddSetting = 3
  static let share = 6
  static let otherRefusal = 60
  /// bindv6only is a number of 8 bits that goes into one bit of a socket.
  static let oddSettings: Weighted<SettingChoice> = Weighted([
    (3, SettingChoice(.bindv6only, 2)), (1, SettingChoice(.bindv6only, 3)), (1, SettingChoice(.bindv6only, 254)),
  ])
  static let places: Weighted<Place> = Weighted([
    (3, .givesDevice(.dev0)), (2, .givesDevice(.dev1)), (1, .givesDevice(.loopback)), (2, .withoutFamily(.ipv4)),
    (1, .withoutFamily(.ipv6)), (3, .withoutBindInBounds),
  ])

  static func move(_ scenario: Scenario, _ random: inout SplitMix64) -> Scenario {
    var moved = scenario
    if ScenarioGenerator.chance(oddSetting, &random), let odd = oddSettings.draw(&random) {
      moved.settings[odd.setting] = odd.value
      if moved.attempt.address.family == .ipv6 { moved.attempt.v6only = nil }
      moved.attempt.mayBindPrivileged = moved.attempt.uid == 0
    }
    guard ScenarioGenerator.chance(share, &random), let place = places.draw(&random) else { return moved }
    moved.place = place
    if place == .withoutBindInBounds {
      moved.port = .privileged
      moved.attempt.uid = ScenarioGenerator.chance(70, &random) ? 0 : moved.attempt.uid
    }
    // As `--uid` says it: root's programs may, others' may not.
    moved.attempt.mayBindPrivileged = moved.attempt.uid == 0
    if case .withoutFamily(let family, _) = place, ScenarioGenerator.chance(otherRefusal, &random) {
      let errno = Place.otherRefusals[Int(random.next() % UInt64(Place.otherRefusals.count))]
      moved.place = .withoutFamily(family, errno: errno)
    }
    return moved
  }
}
