/// Holds a document against a JSON Schema (draft 2020-12), the keywords of this project's schema only; one it
/// does not know is itself reported, so that no rule is skipped without a message.
package struct SchemaValidator {
  var schema: JSONDocument

  package init(schema: JSONDocument) { self.schema = schema }

  /// What is wrong, each with its place; empty for a valid document.
  package func violations(_ document: JSONDocument) -> [String] { check(document, schema, at: "$") }

  private static let silent: Set<String> = ["$schema", "$id", "$defs", "title", "description"]

  private func check(_ value: JSONDocument, _ schema: JSONDocument, at place: String) -> [String] {
    guard case .object(let rules) = schema else { return ["\(place): the schema is no object"] }
    return rules.flatMap { rule in
      Self.silent.contains(rule.key) ? [] : check(value, rule.key, rule.value, at: place)
    }
  }

  private func check(
    _ value: JSONDocument, _ keyword: String, _ rule: JSONDocument, at place: String
  ) -> [String] {
    switch keyword {
    case "$ref":
      guard let name = rule.text?.split(separator: "/").last, let target = schema["$defs"]?[String(name)] else {
        return ["\(place): dangling $ref"]
      }
      return check(value, target, at: place)
    case "type":
      let names = rule.text.map { [$0] } ?? rule.elements.compactMap(\.text)
      return names.contains { isType(value, $0) } ? [] : ["\(place): not of type \(names)"]
    case "const": return value == rule ? [] : ["\(place): not the constant"]
    case "enum": return rule.elements.contains(value) ? [] : ["\(place): not one of the enum"]
    case "required":
      let keys = Set(value.keys)
      return rule.elements.compactMap(\.text).filter { !keys.contains($0) }.map { "\(place): no \($0)" }
    case "properties":
      guard case .object(let properties) = rule else { return ["\(place): bad properties"] }
      return properties.flatMap { property in
        value[property.key].map { check($0, property.value, at: place + "." + property.key) } ?? []
      }
    case "items":
      return value.elements.enumerated().flatMap { check($0.element, rule, at: place + "[\($0.offset)]") }
    case "anyOf":
      let isAny = rule.elements.contains { check(value, $0, at: place).isEmpty }
      return isAny ? [] : ["\(place): none of anyOf"]
    case "minItems", "maxItems", "minimum", "maximum": return limit(value, keyword, rule, at: place)
    case "pattern":
      guard let text = value.text, let pattern = rule.text else { return [] }
      guard let regex = try? Regex(pattern) else { return ["\(place): bad pattern"] }
      return text.contains(regex) ? [] : ["\(place): \(text) is not \(pattern)"]
    default: return ["\(place): the validator does not know \(keyword)"]
    }
  }

  private func limit(_ value: JSONDocument, _ keyword: String, _ rule: JSONDocument, at place: String) -> [String] {
    guard case .number(let bound, _) = rule else { return ["\(place): bad \(keyword)"] }
    let size: Double
    switch value {
    case .number(let number, _) where !keyword.hasSuffix("Items"): size = number
    case .array(let elements) where keyword.hasSuffix("Items"): size = Double(elements.count)
    default: return []
    }
    return (keyword.hasPrefix("min") ? size >= bound : size <= bound) ? [] : ["\(place): \(keyword)"]
  }

  private func isType(_ value: JSONDocument, _ name: String) -> Bool {
    switch (value, name) {
    case (.null, "null"), (.bool, "boolean"), (.string, "string"), (.array, "array"), (.object, "object"): true
    case (.number(_, let text), "integer"): !text.contains { ".eE".contains($0) }
    case (.number, "number"): true
    default: false
    }
  }
}
