// Whether a request that is allowed waits for a person, by the rule of its endpoint.

import type { Bytes } from '../../base/bytes.ts';
import { printGeneralName } from '../../x509/names/general-name.ts';
import { isKnownSubject } from '../enrol/issued-subjects.ts';
import type { Known } from '../enrol/lookup.ts';
import type { EnrolmentRequest } from '../enrol/request.ts';
import { subjectKey } from '../record/keys.ts';
import type { Grounds } from './grounds.ts';

export async function needsApprover(
  { endpoint, ca, signer }: EnrolmentRequest,
  { view }: Known,
  { renews, names: { subject, names } }: Pick<Grounds, 'renews' | 'names'>,
): Promise<boolean> {
  switch (endpoint.approval) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'firstEnrolment':
      return renews === undefined;
    case 'newSubject': {
      const texts = names.map(printGeneralName);
      const keyOf = (of: Bytes): string => subjectKey(ca.id, endpoint.id, of, texts);
      // A renewal is of a certificate that this endpoint has issued for the same names; its subject may
      // be written backwards, which an approver has to see.
      if (renews && keyOf(signer.certificate.subject) === keyOf(subject)) return false;
      return !(await isKnownSubject(view, keyOf(subject)));
    }
  }
}
