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
  /// In hundredths, drawn after all that: a place that spoils an option, filters a call or has no root.
  static let newShare = 5
  static let newPlaces: Weighted<Place> = Weighted([
    (2, .withoutRoot), (1, .spoilsOption(.reuseaddr, swallows: true)),
    (1, .spoilsOption(.reuseaddr, swallows: false)), (1, .spoilsOption(.reuseport, swallows: true)),
    (2, .spoilsOption(.reuseport, swallows: false)), (1, .spoilsOption(.device, swallows: true)),
    (1, .spoilsOption(.device, swallows: false)), (1, .forbidsCall(.bind, errno: 1)),
    (1, .forbidsCall(.bind, errno: 38)), (1, .forbidsCall(.listen, errno: 13)),
    (1, .forbidsCall(.setsockopt, errno: 1)), (1, .forbidsCall(.setsockopt, errno: 22)),
  ])
  /// bindv6only is a number of 8 bits that goes into one bit of a socket.
  static let oddSettings: Weighted<SettingChoice> = Weighted([
    (3, SettingChoice(.bindv6only, 2)), (1, SettingChoice(.bindv6only, 3)), (1, SettingChoice(.bindv6only, 254)),
  ])
  static let places: Weighted<Place> = Weighted([
    (3, .givesDevice(.dev0)), (2, .givesDevice(.dev1)), (1, .givesDevice(.loopback)), (2, .withoutFamily(.ipv4)),
    (1, .withoutFamily(.ipv6)), (3, .withoutBindInBounds),
  ])

  static func move(_ scenario: Scenario, _ random: inout SplitMix64) -> Scenario {
    var moved = moveToOld(scenario, &random)
    guard moved.place == .open, ScenarioGenerator.chance(newShare, &random), let place = newPlaces.draw(&random)
    else { return moved }
    moved.place = place
    if place == .withoutRoot {
      moved.port = .privileged
      moved.attempt.uid = 0
    }
    if case .spoilsOption(.device, _) = place, moved.attempt.device == nil { moved.attempt.device = .dev0 }
    // A program of root has none of it there.
    moved.attempt.mayBindPrivileged = moved.attempt.uid == 0
    return moved
  }

  private static func moveToOld(_ scenario: Scenario, _ random: inout SplitMix64) -> Scenario {
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
