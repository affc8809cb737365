// docs/intune-hresults.md, written by `npm run docs`.

import { intuneCodes } from '../../../lib/adapters/intune/codes.ts';
import { hresults } from '../../../lib/adapters/intune/hresults.ts';
import { reasons } from '../../../lib/refusal/reasons.ts';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const shown = (hresult: number): string => `0x${hresult.toString(16).toUpperCase()}`;

/** As a signed number of 32 bits. */
const decimal = (hresult: number): string => String(hresult | 0);

export const hresultsPage = (): string => `# What Intune and Scepter tell each other of a refusal

## What the Intune admin center shows of a failure

Where a request gets no certificate, and Intune has not refused it itself, Intune is told so with an HRESULT. Its last three
digits, in hexadecimal, are those of the code of the refusal: 0xA0000314 is SCEP-314, and \`scepter explain SCEP-314\` says
what to change. Some pages of Microsoft show it as a signed decimal number.

${table(
  ['HRESULT', 'decimal', 'code', 'what the device is told'],
  Object.entries(reasons).map(([reason, { code, text }]) => {
    const hresult = hresults[reason as keyof typeof hresults];
    return [shown(hresult), decimal(hresult), code, text];
  }),
)}

## What Intune says of a request

Whatever Intune says but \`Success\` refuses the request, with SCEP-331. The code is in the log and in the transaction.

${table(['code of Intune', 'what it means'], Object.entries(intuneCodes))}
`;
