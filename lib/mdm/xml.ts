// Text in XML. What XML 1.0 has no way to carry is refused, and what would be markup becomes text.

/**
 * As the content of an element.
 * @throws {SyntaxError} for characters that XML 1.0 (section 2.2) has not, and for other control characters, which a
 *   reader may change
 */
export function xmlText(text: string): string {
  if (/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(text)) {
    throw new SyntaxError(
      `"${text}" has a control character, which XML does not carry: leave it out`,
    );
  }
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
