// Patterns in which an operator says which names are allowed. `*` stands for one or more characters;
// it never crosses a separator of the kind of name, so `*.example.com` is one label, and
// `host-*` can never become `host-1.evil.example`. Everything else stands for itself. Matching takes
// at most as many steps as pattern and text are long, multiplied: there is nothing to blow up.

/** @param separators the characters that `*` does not cross; '' for none */
export function matchesPattern(pattern: string, text: string, separators: string): boolean {
  const wanted = partsOf(pattern, separators);
  const parts = partsOf(text, separators);
  return wanted.length === parts.length && wanted.every((part, i) => glob(part, parts[i] ?? ''));
}

/** What stands between separators, and the separators. */
function partsOf(text: string, separators: string): string[] {
  const parts = [''];
  for (const character of text) {
    if (separators.includes(character)) parts.push(character, '');
    else parts.push(`${parts.pop()}${character}`);
  }
  return parts;
}

/** `*` is one or more characters. Only the last `*` ever has to give way. */
function glob(pattern: string, text: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0];
  while (from < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      mark = ++from;
    } else if (at < pattern.length && pattern[at] === text[from]) {
      at++;
      from++;
    } else if (star >= 0 && mark < text.length) {
      at = star + 1;
      from = ++mark;
    } else return false;
  }
  return at === pattern.length;
}
