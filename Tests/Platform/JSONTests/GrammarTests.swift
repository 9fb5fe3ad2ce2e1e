import Basics
import JSON
import Testing

/// Cases of one JSON text and what a strict reader says. Names and verdicts as in JSONTestSuite (Nicolas Seriot, MIT licence),
/// `y_` must be read, `n_` must be refused; of the `i_` cases, which RFC 8259 leaves open, this is our choice.
struct GrammarCase: Sendable, CustomTestStringConvertible {
  let name: String
  let text: [UInt8]

  init(_ name: String, _ text: String) { self.init(name, Array(text.utf8)) }

  init(_ name: String, _ text: [UInt8]) {
    self.name = name
    self.text = text
  }

  var testDescription: String { name }

  /// A string in an array around `bytes`.
  static func quoted(_ name: String, _ bytes: [UInt8]) -> GrammarCase {
    GrammarCase(name, Array("[\"".utf8) + bytes + Array("\"]".utf8))
  }
}

@Suite struct GrammarTests {
  static let accepted = [
    GrammarCase("y_array_arraysWithSpaces", "[[]   ]"),
    GrammarCase("y_array_empty-string", "[\"\"]"),
    GrammarCase("y_array_empty", "[]"),
    GrammarCase("y_array_ending_with_newline", "[\"a\"]\n"),
    GrammarCase("y_array_heterogeneous", "[null, 1, \"1\", {}]"),
    GrammarCase("y_array_with_1_and_newline", "[1\n]"),
    GrammarCase("y_array_with_leading_space", " [1]"),
    GrammarCase("y_array_with_several_null", "[1,null,null,null,2]"),
    GrammarCase("y_array_with_trailing_space", "[2] "),
    GrammarCase("y_number", "[123e65]"),
    GrammarCase("y_number_0e+1", "[0e+1]"),
    GrammarCase("y_number_0e1", "[0e1]"),
    GrammarCase("y_number_after_space", "[ 4]"),
    GrammarCase("y_number_double_close_to_zero", "[-0." + String(repeating: "0", count: 77) + "1]"),
    GrammarCase("y_number_int_with_exp", "[20e1]"),
    GrammarCase("y_number_minus_zero", "[-0]"),
    GrammarCase("y_number_negative_int", "[-123]"),
    GrammarCase("y_number_real_capital_e_neg_exp", "[1E-2]"),
    GrammarCase("y_number_real_capital_e_pos_exp", "[1E+2]"),
    GrammarCase("y_number_real_fraction_exponent", "[123.456e78]"),
    GrammarCase("y_object_basic", "{\"asd\":\"sdf\"}"),
    GrammarCase("y_object_empty", "{}"),
    GrammarCase("y_object_empty_key", "{\"\":0}"),
    GrammarCase("y_object_escaped_null_in_key", "{\"foo\\u0000bar\": 42}"),
    GrammarCase("y_object_extreme_numbers", "{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"),
    GrammarCase("y_object_with_newlines", "{\n\"a\": \"b\"\n}"),
    GrammarCase("y_string_1_2_3_bytes_UTF-8_sequences", "[\"\\u0060\\u012a\\u12AB\"]"),
    GrammarCase("y_string_accepted_surrogate_pair", "[\"\\uD801\\udc37\"]"),
    GrammarCase("y_string_accepted_surrogate_pairs", "[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
    GrammarCase("y_string_allowed_escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    GrammarCase("y_string_backslash_and_u_escaped_zero", "[\"\\\\u0000\"]"),
    GrammarCase("y_string_comments", "[\"a/*b*/c/*d//e\"]"),
    GrammarCase("y_string_last_surrogates_1_and_2", "[\"\\uDBFF\\uDFFF\"]"),
    GrammarCase.quoted("y_string_nonCharacterInUTF-8_U+FFFF", [0xEF, 0xBF, 0xBF]),
    GrammarCase.quoted("y_string_nonCharacterInUTF-8_U+10FFFF", [0xF4, 0x8F, 0xBF, 0xBF]),
    GrammarCase("y_string_null_escape", "[\"\\u0000\"]"),
    GrammarCase("y_string_pi", "[\"π\"]"),
    GrammarCase("y_string_unescaped_char_delete", "[\"\u{7F}\"]"),
    GrammarCase("y_string_u+2028_line_sep", "[\"\u{2028}\"]"),
    GrammarCase("y_structure_lonely_false", "false"),
    GrammarCase("y_structure_lonely_int", "42"),
    GrammarCase("y_structure_lonely_negative_real", "-0.1"),
    GrammarCase("y_structure_lonely_null", "null"),
    GrammarCase("y_structure_lonely_string", "\"asd\""),
    GrammarCase("y_structure_whitespace_array", " [] "),
    // Ours among i_.
    GrammarCase(
      "i_number_huge_exp",
      "[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999969999999006]"),
    GrammarCase("i_number_too_big_neg_int", "[-123123123123123123123123123123]"),
    GrammarCase("depth of 64", String(repeating: "[", count: 64) + String(repeating: "]", count: 64)),
    GrammarCase(
      "every kind of white space", "\t\r\n [\t\r\n 1\t\r\n ,\t\r\n {\t\r\n \"a\"\t\r\n :\t\r\n 2\t\r\n }\t\r\n ]\t\r\n "
    ),
  ]

  static let refused = [
    GrammarCase("n_array_1_true_without_comma", "[1 true]"),
    GrammarCase.quoted("n_array_a_invalid_utf8", [0x61, 0xE5]),
    GrammarCase("n_array_colon_instead_of_comma", "[\"\": 1]"),
    GrammarCase("n_array_comma_after_close", "[\"\"],"),
    GrammarCase("n_array_comma_and_number", "[,1]"),
    GrammarCase("n_array_double_comma", "[1,,2]"),
    GrammarCase("n_array_extra_close", "[\"x\"]]"),
    GrammarCase("n_array_extra_comma", "[\"\",]"),
    GrammarCase("n_array_incomplete", "[\"x\""),
    GrammarCase("n_array_inner_array_no_comma", "[3[4]]"),
    GrammarCase("n_array_just_minus", "[-]"),
    GrammarCase("n_array_star_inside", "[*]"),
    GrammarCase("n_array_unclosed_trailing_comma", "[1,"),
    GrammarCase("n_incomplete_false", "[fals]"),
    GrammarCase("n_incomplete_null", "[nul]"),
    GrammarCase("n_incomplete_true", "[tru]"),
    GrammarCase("n_multidigit_number_then_00", Array("123".utf8) + [0]),
    GrammarCase("n_number_++", "[++1234]"),
    GrammarCase("n_number_+1", "[+1]"),
    GrammarCase("n_number_+Inf", "[+Inf]"),
    GrammarCase("n_number_-01", "[-01]"),
    GrammarCase("n_number_-1.0.", "[-1.0.]"),
    GrammarCase("n_number_-2.", "[-2.]"),
    GrammarCase("n_number_-NaN", "[-NaN]"),
    GrammarCase("n_number_.-1", "[.-1]"),
    GrammarCase("n_number_.2e-3", "[.2e-3]"),
    GrammarCase("n_number_0.1.2", "[0.1.2]"),
    GrammarCase("n_number_0.3e+", "[0.3e+]"),
    GrammarCase("n_number_0.e1", "[0.e1]"),
    GrammarCase("n_number_0_capital_E+", "[0E+]"),
    GrammarCase("n_number_0e", "[0e]"),
    GrammarCase("n_number_1_000", "[1 000.0]"),
    GrammarCase("n_number_1eE2", "[1eE2]"),
    GrammarCase("n_number_Inf", "[Inf]"),
    GrammarCase("n_number_NaN", "[NaN]"),
    GrammarCase("n_number_U+FF11_fullwidth_digit_one", "[１]"),
    GrammarCase("n_number_expression", "[1+2]"),
    GrammarCase("n_number_hex_1_digit", "[0x1]"),
    GrammarCase("n_number_infinity", "[Infinity]"),
    GrammarCase("n_number_invalid+-", "[0e+-1]"),
    GrammarCase("n_number_minus_space_1", "[- 1]"),
    GrammarCase("n_number_neg_int_starting_with_zero", "[-012]"),
    GrammarCase("n_number_real_without_fractional_part", "[1.]"),
    GrammarCase("n_number_starting_with_dot", "[.123]"),
    GrammarCase("n_number_with_alpha", "[1.2a-3]"),
    GrammarCase("n_number_with_leading_zero", "[012]"),
    GrammarCase("n_object_bad_value", "[\"x\", truth]"),
    GrammarCase("n_object_comma_instead_of_colon", "{\"x\", null}"),
    GrammarCase("n_object_double_colon", "{\"x\"::\"b\"}"),
    GrammarCase("n_object_missing_colon", "{\"a\" b}"),
    GrammarCase("n_object_missing_key", "{:\"b\"}"),
    GrammarCase("n_object_missing_value", "{\"a\":"),
    GrammarCase("n_object_non_string_key", "{1:1}"),
    GrammarCase("n_object_single_quote", "{'a':0}"),
    GrammarCase("n_object_trailing_comma", "{\"id\":0,}"),
    GrammarCase("n_object_trailing_comment", "{\"a\":\"b\"}/**/"),
    GrammarCase("n_object_two_commas_in_a_row", "{\"a\":\"b\",,\"c\":\"d\"}"),
    GrammarCase("n_object_unquoted_key", "{a: \"b\"}"),
    GrammarCase("n_object_unterminated-value", "{\"a\":\"a"),
    GrammarCase("n_object_with_trailing_garbage", "{\"a\":\"b\"}#"),
    GrammarCase("n_single_space", " "),
    GrammarCase("n_string_1_surrogate_then_escape", "[\"\\uD800\\\"]"),
    GrammarCase("n_string_1_surrogate_then_escape_u1x", "[\"\\uD800\\u1x\"]"),
    GrammarCase("n_string_accentuated_char_no_quotes", "[é]"),
    GrammarCase("n_string_backslash_00", Array("[\"\\".utf8) + [0] + Array("\"]".utf8)),
    GrammarCase("n_string_escape_x", "[\"\\x00\"]"),
    GrammarCase("n_string_escaped_backslash_bad", "[\"\\\\\\\"]"),
    GrammarCase("n_string_incomplete_escaped_character", "[\"\\u00A\"]"),
    GrammarCase("n_string_invalid_unicode_escape", "[\"\\uqqqq\"]"),
    GrammarCase("n_string_leading_uescaped_thinspace", "[\\u0020\"asd\"]"),
    GrammarCase("n_string_single_doublequote", "\""),
    GrammarCase("n_string_unescaped_ctrl_char", Array("[\"a".utf8) + [0] + Array("a\"]".utf8)),
    GrammarCase("n_string_unescaped_newline", "[\"new\nline\"]"),
    GrammarCase("n_string_unescaped_tab", "[\"\t\"]"),
    GrammarCase("n_string_unicode_CapitalU", "\"\\UA66D\""),
    GrammarCase("n_structure_100000_opening_arrays", String(repeating: "[", count: 100_000)),
    GrammarCase("n_structure_U+2060_word_joined", "[\u{2060}]"),
    GrammarCase("n_structure_UTF8_BOM_no_data", [0xEF, 0xBB, 0xBF]),
    GrammarCase("n_structure_capitalized_True", "[True]"),
    GrammarCase("n_structure_close_unopened_array", "1]"),
    GrammarCase("n_structure_comma_instead_of_closing_brace", "{\"x\": true,"),
    GrammarCase("n_structure_double_array", "[][]"),
    GrammarCase("n_structure_no_data", ""),
    GrammarCase("n_structure_object_followed_by_closing_object", "{}}"),
    GrammarCase("n_structure_open_object_close_array", "{]"),
    GrammarCase("n_structure_open_array_object", String(repeating: "[{\"\":", count: 50_000)),
    GrammarCase("n_structure_whitespace_formfeed", [0x5B, 0x0C, 0x5D]),
    GrammarCase("n_structure_whitespace_U+2060", "[\u{A0}]"),
    // Ours among i_.
    GrammarCase("i_object_key_lone_2nd_surrogate", "{\"\\uDFAA\":0}"),
    GrammarCase("i_string_1st_surrogate_but_2nd_missing", "[\"\\uDADA\"]"),
    GrammarCase("i_string_incomplete_surrogates_escape_valid", "[\"\\uD800\\uD800\\n\"]"),
    GrammarCase("i_string_inverted_surrogates_U+1D11E", "[\"\\uDd1e\\uD834\"]"),
    GrammarCase.quoted("i_string_UTF8_surrogate_U+D800", [0xED, 0xA0, 0x80]),
    GrammarCase.quoted("i_string_invalid_utf-8", [0xFF]),
    GrammarCase.quoted("i_string_not_in_unicode_range", [0xF4, 0xBF, 0xBF, 0xBF]),
    GrammarCase.quoted("i_string_overlong_sequence_2_bytes", [0xC0, 0xAF]),
    GrammarCase.quoted("i_string_overlong_sequence_3_bytes", [0xE0, 0x80, 0xAF]),
    GrammarCase.quoted("i_string_overlong_sequence_4_bytes", [0xF0, 0x80, 0x80, 0xAF]),
    GrammarCase.quoted("i_string_overlong_sequence_6_bytes", [0xFC, 0x83, 0xBF, 0xBF, 0xBF, 0xBF]),
    GrammarCase.quoted("i_string_truncated-utf-8", [0xE0, 0xFF]),
    GrammarCase.quoted("i_string_lone_utf8_continuation_byte", [0x81]),
    GrammarCase("i_structure_UTF-8_BOM_empty_object", [0xEF, 0xBB, 0xBF, 0x7B, 0x7D]),
    GrammarCase("i_string_utf16LE_no_BOM", [0x5B, 0x00, 0x22, 0x00, 0xE9, 0x00, 0x22, 0x00, 0x5D, 0x00]),
    GrammarCase("depth of 65", String(repeating: "[", count: 65) + String(repeating: "]", count: 65)),
    // y_ in the suite; two readers could differ about them, so ours does not take part.
    GrammarCase("y_object_duplicated_key", "{\"a\":\"b\",\"a\":\"c\"}"),
    GrammarCase("y_object_duplicated_key_and_value", "{\"a\":\"b\",\"a\":\"b\"}"),
  ]

  @Test("strict JSON is read", arguments: accepted) func reads(_ example: GrammarCase) throws {
    _ = try JSONDocument(example.text)
  }

  @Test("anything else is refused, within the text", arguments: refused) func refuses(_ example: GrammarCase) throws {
    let error = try #require(throws: JSONError.self) { try JSONDocument(example.text) }
    #expect((0...example.text.count).contains(error.offset))
    #expect(!error.reason.isEmpty)
  }

  @Test("an error says where and what") func namesThePlace() {
    #expect(throws: JSONError(offset: 6, reason: "expected a value")) {
      try JSONDocument(Array("{\"a\": +5}".utf8))
    }
    #expect(throws: JSONError(offset: 4, reason: "the text ends where ',' or ']' should be")) {
      try JSONDocument(Array("[1,2".utf8))
    }
    #expect(throws: JSONError(offset: 3, reason: "more text after the value")) { try JSONDocument(Array("[1]]".utf8)) }
  }

  @Test("every prefix of a document is refused") func prefixes() {
    let text = Array(Samples.uplink.utf8)
    for length in 0..<text.count {
      #expect(throws: JSONError.self) { try JSONDocument(text[..<length]) }
    }
  }

  @Test("a document reads the same wherever its slice lies") func slices() throws {
    let text = Array(Samples.uplink.utf8)
    for margin in 0..<9 {
      let around = [UInt8](repeating: 0x22, count: margin)
      let document = try JSONDocument((around + text + around)[margin..<margin + text.count])
      #expect(Array(document.root.rawBytes) == text)
      #expect(document.root["uplink_message"]?["f_cnt"]?.int == 1834)
    }
  }

  @Test("limits hold") func limits() throws {
    #expect(throws: JSONError.self) { try JSONDocument(Array("[1]".utf8), limits: JSONLimits(bytes: 2)) }
    #expect(throws: JSONError.self) { try JSONDocument(Array("[[1]]".utf8), limits: JSONLimits(depth: 1)) }
    _ = try JSONDocument(Array("[[1],[2]]".utf8), limits: JSONLimits(bytes: 9, depth: 2))
  }

  @Test("a changed byte never crashes, and what is read still holds together")
  func mutations() {
    var random = SplitMix.next()
    let text = Array(Samples.uplink.utf8)
    let marks = Array("{}[]\",:\\0-.eE+u\u{7F}".utf8) + [0x00, 0x1F, 0x80, 0xC0, 0xE0, 0xED, 0xF4, 0xFF]
    for _ in 0..<4000 {
      var changed = text
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<changed.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: changed[at] = UInt8.random(in: 0...255, using: &random)
        case 1: changed[at] = marks.randomElement(using: &random) ?? 0
        case 2: changed.remove(at: at)
        default: changed.insert(marks.randomElement(using: &random) ?? 0, at: at)
        }
      }
      guard let root = try? JSONDocument(changed).root else { continue }
      // What is written from the values is read as the same values.
      let again = JSONWriter.bytes { Samples.write(root, to: &$0) }
      #expect((try? JSONDocument(again).root).map { Samples.equal($0, root) } == true)
    }
  }
}
