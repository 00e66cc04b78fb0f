"""The artifact store: contract, backends, artifacts and records.

``abc`` the contract of a store, ``location`` opens one by URL, ``records`` what is kept, ``ledger`` keeps it,
``artifacts`` saves and loads values, ``equality`` compares them, ``preview`` describes them.
"""
