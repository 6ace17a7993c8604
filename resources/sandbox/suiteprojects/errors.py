"""Error statuses of SuiteProjects Pro's XML API; their texts are in `status_texts.py`."""

from enum import IntEnum


class Status(IntEnum):
    """Status codes that the simulated account returns."""

    OK = 0
    UNKNOWN_ERROR = 1
    NOT_SIGNED_IN = 2
    TOO_MANY_ARGUMENTS = 3
    TOO_FEW_ARGUMENTS = 4
    UNKNOWN_COMMAND = 5
    INVALID_PARAMETERS = 10
    UNKNOWN_LOGIN = 401
    COMPANY_MISSING = 403
    USER_MISSING = 404
    PASSWORD_MISSING = 405
    USER_INACTIVE = 410
    KEY_MISSING = 503
    NAMESPACE_MISSING = 504
    KEY_INVALID = 505
    TOO_MANY_OBJECTS = 555
    OVER_QUOTA = 556
    NOT_FOUND = 601
    INVALID_FIELD = 602
    INVALID_TYPE = 603
    INVALID_LIMIT = 605
    HAS_DEPENDENTS = 701
    INVALID_CUSTOMER = 801
    NAME_MISSING = 824
    INVALID_USER = 829
    INVALID_CURRENCY = 837
    DUPLICATE = 852
    TOO_MANY_RECORDS = 854
    TOO_MANY_COMMANDS = 855
    CUSTOMER_NOT_FOUND = 859
    INVALID_HIERARCHY_TYPE = 868
    ARGUMENT_COUNT = 871
    PARENT_NOT_FOUND = 881
    CONTACT_INCOMPLETE = 907
    INVALID_NAME = 908
    CONTACT_OF_OTHER_CUSTOMER = 909
    LOOKUP_NOT_FOUND = 910
    NO_EXTERNAL_ID = 916
    TEMPLATE_NOT_COPIED = 934
    DUPLICATE_PROJECT_NAME = 943
    INVALID_DATE = 944
    INVALID_NODE = 1050
    TWO_NODES_OF_HIERARCHY = 1051
    CHECKBOX_INVALID = 1100
    NOT_IN_LIST = 1101
    CUSTOM_FIELD_NOT_SAVED = 1102
    CUSTOM_FIELD_NOT_MODIFIABLE = 1103
    CUSTOM_FIELD_NOT_UNIQUE = 1104
    CUSTOM_FIELDS_NOT_UPDATED = 1106
    CONDITION_NOT_MET = 1200
    BAD_ARGUMENT = 2001
    BAD_FORMAT = 2002


class ApiError(Exception):
    """An error status of one command; `content` is the XML inside its response block."""

    def __init__(self, status: int, content: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.content = content
