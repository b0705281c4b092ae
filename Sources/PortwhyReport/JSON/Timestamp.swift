/// The time as RFC 3339 writes it, UTC with milliseconds.
enum Timestamp {
  /// Reads seconds since the epoch; what is no number or outside the years 0001...9999 is held at the nearest end.
  static func text(secondsSinceEpoch seconds: Double) -> String {
    let earliest: Double = -62_135_596_800
    let latest: Double = 253_402_300_799.999
    let held = seconds.isNaN ? 0 : min(max(seconds, earliest), latest)
    let milliseconds = Int64((held * 1000).rounded(.down))
    let (days, ofDay) = floorDivision(milliseconds, 86_400_000)
    let (year, month, day) = civil(daysSinceEpoch: days)
    let date = padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
    let time =
      padded(ofDay / 3_600_000, 2) + ":" + padded(ofDay / 60_000 % 60, 2) + ":" + padded(ofDay / 1000 % 60, 2)
    return date + "T" + time + "." + padded(ofDay % 1000, 3) + "Z"
  }

  /// The seconds since the epoch of what `text` writes, so that `text` writes it again; nil for every other form.
  static func secondsSinceEpoch(_ text: String) -> Double? {
    let digits = text.utf8.split { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    let numbers = digits.compactMap { $0.count <= 4 ? Int64(String(decoding: $0, as: UTF8.self)) : nil }
    guard numbers.count == 7 else { return nil }
    let days = daysSinceEpoch(year: numbers[0], month: numbers[1], day: numbers[2])
    let minutes = (days * 24 + numbers[3]) * 60 + numbers[4]
    let seconds = Double((minutes * 60 + numbers[5]) * 1000 + numbers[6]) / 1000
    // A millisecond is no binary fraction: where the nearest one lies below it, take the next.
    return [seconds, seconds.nextUp].first { self.text(secondsSinceEpoch: $0) == text }
  }

  /// The inverse of `civil`.
  private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = floorDivision(marchYear, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// The date of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
  private static func civil(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivision(daysSinceEpoch + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func floorDivision(_ number: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ number: Int64, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }
}
