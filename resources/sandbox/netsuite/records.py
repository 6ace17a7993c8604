"""x"""
class Records:
    def __init__(self,s): pass
