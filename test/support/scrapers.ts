// How MDMs read the page of NDES, by what is known of four of them: each takes the octets of a page, and has its own idea
// of their charset. They are written here from that, and share nothing with what writes the page.

/** By the byte order mark, or else as UTF-16LE; then the first word after the sentence, tags in any case. */
export function asFleet(page: Uint8Array): string | undefined {
  const text = new TextDecoder('utf-16le').decode(page);
  const found = /the enrollment challenge password is:\s*<b>\s*(\S+)/i.exec(text);
  return found?.[1];
}

/** UTF-16, UTF-8 and ASCII in turn, until one has the sentence; then what stands between the tags. */
export function asJavaMdm(page: Uint8Array): string | undefined {
  for (const charset of ['utf-16le', 'utf-8', 'ascii']) {
    const text = new TextDecoder(charset).decode(page);
    const [, rest] = text.split('enrollment challenge password is: <B> ');
    if (rest !== undefined) return rest.split(' </B>')[0];
  }
  return undefined;
}

/** UTF-16 only, with a mark; each bold text in turn, of which the second is the challenge. */
export function asPython(page: Uint8Array): string | undefined {
  if (page[0] !== 0xff || page[1] !== 0xfe) return undefined;
  const text = new TextDecoder('utf-16le').decode(page);
  return [...text.matchAll(/<B> ([^<]*) <\/B>/g)].map(([, bold]) => bold)[1];
}

/** Octets as they are, without those that are zero, as a shell does it: the last upper-case word of so many characters. */
export function asLength(page: Uint8Array, length: number): string | undefined {
  const text = String.fromCharCode(...page.filter((octet) => octet !== 0));
  return text.match(new RegExp(`\\b[0-9A-F]{${length}}\\b`, 'g'))?.at(-1);
}
