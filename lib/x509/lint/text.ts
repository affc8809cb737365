// What a finding of the lint means to people: for the names that a request, a binding or an operator
// wrote. Findings in what we built ourselves are alarms and need no advice.

/** By rule id, as the end of a sentence about a name. */
export const lintTexts: Readonly<Record<string, string>> = {
  nameless: 'there is neither a subject nor a subjectAltName',
  'subject-strings': 'an attribute is blank, or is no string',
  'subject-length': 'an attribute is longer than RFC 5280 allows it to be',
  'subject-characters': 'an attribute has control, bidirectional or other invisible characters',
  country: 'C must be a country code of two letters',
  'printable-string': 'a PrintableString has characters that are none of it',
  'attribute-string-type':
    'C, serialNumber and dnQualifier must be PrintableString, DC and emailAddress IA5String',
  'ia5-string': 'an IA5String has characters beyond ASCII',
  'repeated-common-name':
    'CN stands more than once, which only the certificate of a client may have',
  'partial-wildcard':
    'a CN has "*" beside other characters of a label, which TLS clients take for many hosts',
  'relative-distinguished-name': 'an attribute type stands twice in one RDN',
  'dns-name':
    'a dns name is no host name: labels of letters, digits and hyphens, "*" only as the first, no address',
  'rfc822-name': 'an email name is no mailbox such as user@host.example',
  uri: 'a uri name is no absolute URI',
  'other-name': 'a upn name is blank or has control, bidirectional or other invisible characters',
};
