// The pages of a decision link: HTML without script, with nothing from elsewhere. All that devices, administrators and
// links say is text in them.

import { base64, utf8 } from '../../base/bytes.ts';
import { htmlText as escaped } from '../../base/text.ts';
import { hash } from '../../crypto/native.ts';

/** A line of what is asked for; without a value it is left out. */
export type Fact = readonly [name: string, value: string | readonly string[] | undefined];

const style = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
p, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #8888; }
th { width: 9rem; font-weight: 600; }
td div { white-space: pre-wrap; }
label { display: block; margin: 1rem 0 .25rem; }
textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; }
button { font: inherit; padding: .5rem 1.4rem; margin: 1rem .75rem 0 0; cursor: pointer; }
@media (max-width: 30rem) { th, td { display: block; width: auto; border: 0; padding: .1rem 0; } tr { display: block; padding: .4rem 0; border-bottom: 1px solid #8888; } }`;

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${base64(hash('SHA-256', utf8(style)))}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** @param inside HTML */
export function htmlPage(status: number, title: string, inside: string): Response {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${inside}</body>
</html>
`;
  const octets = utf8(html);
  return new Response(octets, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(octets.length),
      'cache-control': 'no-store',
      'content-security-policy': policy,
      // The link is told to nobody; with "no-referrer" a browser would send the form from nowhere ("Origin: null").
      'referrer-policy': 'strict-origin',
      'x-content-type-options': 'nosniff',
    },
  });
}

export const paragraph = (text: string): string => `<p>${escaped(text)}</p>\n`;

const row = ([name, value = []]: Fact): string => {
  const values = typeof value === 'string' ? [value] : value;
  if (values.length === 0) return '';
  const cells = values.map((one) => `<div>${escaped(one)}</div>`).join('');
  return `<tr><th scope="row">${escaped(name)}</th><td>${cells}</td></tr>\n`;
};

export const factsTable = (facts: readonly Fact[]): string =>
  `<table>\n${facts.map(row).join('')}</table>\n`;

/** @param link its text */
export const decisionForm = (link: string): string => `<form method="post" action="/decide">
<input type="hidden" name="link" value="${escaped(link)}">
<label for="reason">Reason, for the record (may be empty)</label>
<textarea id="reason" name="reason" rows="2" maxlength="500"></textarea>
<button type="submit" name="verdict" value="approve">Approve</button>
<button type="submit" name="verdict" value="deny">Deny</button>
</form>
`;
