import SocketModel

/// What one check of bind(2) does, over all ways the unknown facts could be.
struct BSDStep {
  var rule: BSDRule
  /// What it fails with; nil where it surely passes.
  var error: SystemError?
  /// Some way the facts could be passes.
  var mayPass = true
  /// Indices into `Snapshot.sockets`.
  var blockers: [Int] = []
  var missing: [MissingFact] = []

  static func passes(_ rule: BSDRule) -> BSDStep { BSDStep(rule: rule) }
  static func fails(_ rule: BSDRule, _ error: SystemError) -> BSDStep {
    BSDStep(rule: rule, error: error, mayPass: false)
  }
  /// nil: it may be either.
  static func check(_ rule: BSDRule, _ condition: Bool?, else error: SystemError, missing: MissingFact.Kind)
    -> BSDStep
  {
    switch condition {
    case true?: passes(rule)
    case false?: fails(rule, error)
    case nil: BSDStep(rule: rule, error: error, missing: [MissingFact(missing)])
    }
  }
}

/// What the checks come to, one after the other: the first that fails decides, and those after it are not made.
struct BSDSteps {
  private var possible: [BSDStep] = []
  /// The check that let the bind pass, or fails surely.
  private(set) var last: BSDStep?
  private(set) var mayPass = true

  mutating func make(_ step: () -> BSDStep) {
    guard mayPass else { return }
    let step = step()
    last = step
    if step.error != nil { possible.append(step) }
    mayPass = step.mayPass
  }

  /// nil where no check was made.
  func outcome(_ options: BSDOptions) -> BSDOutcome? {
    guard let last else { return nil }
    guard let first = possible.first else {
      return BSDOutcome(options: options, bind: .ok, rule: last.rule, blockers: [], missing: [])
    }
    let errors = Set(possible.compactMap(\.error))
    guard !mayPass, errors.count == 1, let error = errors.first else {
      return BSDOutcome(
        options: options, bind: .undetermined, rule: first.rule, blockers: Set(possible.flatMap(\.blockers)).sorted(),
        missing: possible.flatMap(\.missing).reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
    }
    return BSDOutcome(options: options, bind: .fails(error), rule: last.rule, blockers: last.blockers, missing: [])
  }
}

extension PCBTable {
  /// A check of the socket that `lookup` ends with.
  func step(_ rule: BSDRule, _ lookup: LocalLookup, refuses: (InternetPCB) -> Bool) -> BSDStep {
    let found = find(lookup)
    let refusing = found.candidates.filter { refuses($0.world.pcb) }
    guard !refusing.isEmpty else { return .passes(rule) }
    let mayPass = found.mayFindNone || refusing.count < found.candidates.count
    return BSDStep(
      rule: rule, error: .addressInUse, mayPass: mayPass,
      blockers: Set(refusing.flatMap { entries[$0.entry].sockets }).sorted(),
      missing: mayPass ? missing(lookup, found, refuses) : [])
  }

  /// The facts that would settle it.
  private func missing(_ lookup: LocalLookup, _ found: LookupResult, _ refuses: (InternetPCB) -> Bool)
    -> [MissingFact]
  {
    var missing: [MissingFact] = []
    for entry in entries {
      let ends = entry.worlds.map { world -> [Int] in
        guard let cost = lookup.cost(of: world.pcb), cost <= found.bound else { return [] }
        return [cost, refuses(world.pcb) ? 1 : 0]
      }
      for (bit, gap) in entry.facts.gaps.enumerated()
      where ends.indices.contains(where: { ends[$0] != ends[$0 ^ (1 << bit)] }) {
        missing += entry.sockets.map { MissingFact(gap, socket: $0) }
      }
    }
    if orderDecides(found, refuses) || missing.isEmpty { missing.append(MissingFact(.bindOrder)) }
    return missing
  }

  /// Whether two sockets fit equally well, one of them refuses, and nothing tells which is newer.
  private func orderDecides(_ found: LookupResult, _ refuses: (InternetPCB) -> Bool) -> Bool {
    /// Sockets of one cost that stand in one known order, or in none.
    struct Place: Hashable {
      var cost: Int
      var sequence: Sequence?
      var isInPlace: Bool
    }
    var refusing: [Place: Set<Int>] = [:]
    var passing: [Place: Set<Int>] = [:]
    for candidate in found.candidates {
      let entry = entries[candidate.entry]
      let place = Place(cost: candidate.cost, sequence: sequence(of: entry), isInPlace: isInPlace(entry))
      if refuses(candidate.world.pcb) {
        refusing[place, default: []].insert(candidate.entry)
      } else {
        passing[place, default: []].insert(candidate.entry)
      }
    }
    return refusing.contains { place, refusers in
      passing.contains { otherPlace, passers in
        guard place == otherPlace else { return place.cost == otherPlace.cost }
        let isOrdered = place.sequence != nil && place.isInPlace
        return !isOrdered && (refusers != passers || refusers.count > 1)
      }
    }
  }
}
