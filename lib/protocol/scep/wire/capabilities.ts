// GetCACaps (RFC 8894 §3.5.2), derived from what an endpoint accepts: a keyword stands here if and
// only if the thing works. Line feeds only, because Apple's client splits on nothing else.

import {
  accepted,
  type Capability,
  contentCiphers,
  digests,
  type Legacy,
} from '../../../crypto/algorithms.ts';

type Keyword = Capability | 'POSTPKIOperation' | 'Renewal' | 'SCEPStandard';

function capabilities(legacy: Legacy): readonly Keyword[] {
  const algorithms = [...Object.values(contentCiphers), ...Object.values(digests)]
    .filter((entry) => accepted(entry, legacy))
    .flatMap(({ capability }) => capability ?? []);
  return [...new Set(algorithms), 'POSTPKIOperation', 'Renewal', 'SCEPStandard'];
}

export const printCapabilities = (legacy: Legacy): string => capabilities(legacy).join('\n');
