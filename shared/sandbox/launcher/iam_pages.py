"""Pages of IAM's lists, which MiniStack gives whole.

"IAM might return fewer than the MaxItems number of results, even when there are more results available" (API reference,
ListRolePolicies and all others): how many is a setting, and a hundred where nobody asks for fewer.
"""

from xml.etree import ElementTree

from ministack.services import iam

import settings

SPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def apply():
    """Puts pages around every list."""
    ElementTree.register_namespace("", SPACE)
    for name, handler in list(iam._IAM_HANDLERS.items()):
        if name.startswith("List"):
            iam._IAM_HANDLERS[name] = _paged(handler)


def _paged(handler):
    def page(params):
        answer = handler(params)
        size = min(settings.iam_page, int(iam._p(params, "MaxItems") or 100))
        first = int(iam._p(params, "Marker") or 0)
        return answer if answer[0] != 200 else (*answer[:2], _cut(answer[2], first, size), *answer[3:])
    return page


def _cut(body, first, size):
    """The answer with those of its members alone that are on the page."""
    document = ElementTree.fromstring(body)
    result = next((part for part in document if part.tag.endswith("Result")), [])
    members = [(part, member) for part in result for member in part if member.tag == f"{{{SPACE}}}member"]
    if len(members) <= size and first == 0:
        return body
    for number, (part, member) in enumerate(members):
        if not first <= number < first + size:
            part.remove(member)
    if first + size < len(members):
        result.find(f"{{{SPACE}}}IsTruncated").text = "true"
        ElementTree.SubElement(result, f"{{{SPACE}}}Marker").text = str(first + size)
    return ElementTree.tostring(document, encoding="utf-8", xml_declaration=True)
