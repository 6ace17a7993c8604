"""Countries as people of SuiteProjects Pro write them: NetSuite's codes become names, and names become codes again.

value to be sent: SE  ->  Sweden        value that is there: sweden  ->  SE

So a country is compared by its code, however it is spelled there. Which spelling an account wants nobody documents; the
interface's examples have English names. `options: {countries: as_given}` leaves every value as the mapping makes it.
"""

from collections.abc import Callable, Mapping

from assets.suiteprojects.encode import Values
from resources.suiteprojects.dictionary import ADDRESSES
from resources.suiteprojects.xml import Record

SPELLINGS = ("names", "as_given")
FIELDS = tuple(f"{prefix}country" for prefix in ADDRESSES.values())

# ISO 3166-1 alpha-2 with the short English name
_LISTED = """
AD Andorra; AE United Arab Emirates; AF Afghanistan; AG Antigua and Barbuda; AI Anguilla; AL Albania; AM Armenia; AO
Angola; AQ Antarctica; AR Argentina; AS American Samoa; AT Austria; AU Australia; AW Aruba; AX Aland Islands; AZ
Azerbaijan; BA Bosnia and Herzegovina; BB Barbados; BD Bangladesh; BE Belgium; BF Burkina Faso; BG Bulgaria; BH
Bahrain; BI Burundi; BJ Benin; BL Saint Barthelemy; BM Bermuda; BN Brunei; BO Bolivia; BQ Bonaire, Sint Eustatius
and Saba; BR Brazil; BS Bahamas; BT Bhutan; BV Bouvet Island; BW Botswana; BY Belarus; BZ Belize; CA Canada; CC
Cocos Islands; CD Democratic Republic of the Congo; CF Central African Republic; CG Congo; CH Switzerland; CI Ivory
Coast; CK Cook Islands; CL Chile; CM Cameroon; CN China; CO Colombia; CR Costa Rica; CU Cuba; CV Cape Verde; CW
Curacao; CX Christmas Island; CY Cyprus; CZ Czech Republic; DE Germany; DJ Djibouti; DK Denmark; DM Dominica; DO
Dominican Republic; DZ Algeria; EC Ecuador; EE Estonia; EG Egypt; EH Western Sahara; ER Eritrea; ES Spain; ET
Ethiopia; FI Finland; FJ Fiji; FK Falkland Islands; FM Micronesia; FO Faroe Islands; FR France; GA Gabon; GB United
Kingdom; GD Grenada; GE Georgia; GF French Guiana; GG Guernsey; GH Ghana; GI Gibraltar; GL Greenland; GM Gambia; GN
Guinea; GP Guadeloupe; GQ Equatorial Guinea; GR Greece; GS South Georgia and the South Sandwich Islands; GT
Guatemala; GU Guam; GW Guinea-Bissau; GY Guyana; HK Hong Kong; HM Heard and McDonald Islands; HN Honduras; HR
Croatia; HT Haiti; HU Hungary; ID Indonesia; IE Ireland; IL Israel; IM Isle of Man; IN India; IO British Indian
Ocean Territory; IQ Iraq; IR Iran; IS Iceland; IT Italy; JE Jersey; JM Jamaica; JO Jordan; JP Japan; KE Kenya; KG
Kyrgyzstan; KH Cambodia; KI Kiribati; KM Comoros; KN Saint Kitts and Nevis; KP North Korea; KR South Korea; KW
Kuwait; KY Cayman Islands; KZ Kazakhstan; LA Laos; LB Lebanon; LC Saint Lucia; LI Liechtenstein; LK Sri Lanka; LR
Liberia; LS Lesotho; LT Lithuania; LU Luxembourg; LV Latvia; LY Libya; MA Morocco; MC Monaco; MD Moldova; ME
Montenegro; MF Saint Martin; MG Madagascar; MH Marshall Islands; MK North Macedonia; ML Mali; MM Myanmar; MN
Mongolia; MO Macau; MP Northern Mariana Islands; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU
Mauritius; MV Maldives; MW Malawi; MX Mexico; MY Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger; NF
Norfolk Island; NG Nigeria; NI Nicaragua; NL Netherlands; NO Norway; NP Nepal; NR Nauru; NU Niue; NZ New Zealand; OM
Oman; PA Panama; PE Peru; PF French Polynesia; PG Papua New Guinea; PH Philippines; PK Pakistan; PL Poland; PM Saint
Pierre and Miquelon; PN Pitcairn; PR Puerto Rico; PS Palestine; PT Portugal; PW Palau; PY Paraguay; QA Qatar; RE
Reunion; RO Romania; RS Serbia; RU Russia; RW Rwanda; SA Saudi Arabia; SB Solomon Islands; SC Seychelles; SD Sudan;
SE Sweden; SG Singapore; SH Saint Helena; SI Slovenia; SJ Svalbard and Jan Mayen; SK Slovakia; SL Sierra Leone; SM
San Marino; SN Senegal; SO Somalia; SR Suriname; SS South Sudan; ST Sao Tome and Principe; SV El Salvador; SX Sint
Maarten; SY Syria; SZ Eswatini; TC Turks and Caicos Islands; TD Chad; TF French Southern Territories; TG Togo; TH
Thailand; TJ Tajikistan; TK Tokelau; TL East Timor; TM Turkmenistan; TN Tunisia; TO Tonga; TR Turkey; TT Trinidad
and Tobago; TV Tuvalu; TW Taiwan; TZ Tanzania; UA Ukraine; UG Uganda; UM United States Minor Outlying Islands; US
United States; UY Uruguay; UZ Uzbekistan; VA Vatican City; VC Saint Vincent and the Grenadines; VE Venezuela; VG
British Virgin Islands; VI United States Virgin Islands; VN Vietnam; VU Vanuatu; WF Wallis and Futuna; WS Samoa; YE
Yemen; YT Mayotte; ZA South Africa; ZM Zambia; ZW Zimbabwe
"""
NAMES: Mapping[str, str] = {each.strip()[:2]: each.strip()[3:] for each in " ".join(_LISTED.split()).split(";")}

# what else people and official lists call them
_ALSO = """
BO Bolivia, Plurinational State of; BN Brunei Darussalam; CD Congo, Democratic Republic of the; CI Cote d'Ivoire;
CI Côte d'Ivoire; CV Cabo Verde; CW Curaçao; CZ Czechia; FK Falkland Islands (Malvinas); GB Great Britain; GB UK;
GB U.K.; IR Iran, Islamic Republic of; KP Korea, Democratic People's Republic of; KR Korea, Republic of; KR Korea;
LA Lao People's Democratic Republic; MD Moldova, Republic of; MK Macedonia; MO Macao; NL The Netherlands; NL Holland;
PS Palestinian Territories; RU Russian Federation; SY Syrian Arab Republic; SZ Swaziland; TL Timor-Leste; TR Türkiye;
TR Turkiye; TW Taiwan, Province of China; TZ Tanzania, United Republic of; US USA; US U.S.A.; US U.S.;
US United States of America; VA Holy See; VE Venezuela, Bolivarian Republic of; VN Viet Nam
"""
_CODES = {name.casefold(): code for code, name in NAMES.items()} | {
    each.strip()[3:].casefold(): each.strip()[:2] for each in " ".join(_ALSO.split()).split(";")
}


def spelled(values: Values) -> Values:
    """Values as they are sent: a country by its name."""
    return _with_countries(values, NAMES.get)


def understood(record: Record) -> Record:
    """Values as they are compared: a country by its code, where its name is known."""
    return _with_countries(record, lambda name: _CODES.get(name.strip().casefold()))


def _with_countries(values: Values, other: Callable[[str], str | None]) -> Values:
    found = {name: other(value) for name in FIELDS if (value := values.get(name))}
    known = {name: value for name, value in found.items() if value}
    return {**values, **known} if known else values
